"""The price process of one simulated symbol, minute by minute, in weeks that can be computed on their own.

- Volatility is a product of independent levels, each constant over a random stretch of time, from an hour to two months (a
  multifractal in the manner of Calvet and Fisher, "How to forecast long-run volatility", 2004), times a regime (calm, normal,
  stressed) that lasts weeks, times the shape of the day. So it clusters over many scales.
- Returns are Student's t with four degrees of freedom (Bailey, "Polar generation of random variates with the t-distribution",
  1994) on top of it.
- In some of the weeks the price swings: it drifts one way, and from a random moment on the other way. This is put in so that a
  demonstration has signals. A model can find it, and what it earns on it says nothing about real markets. All else that decides the
  direction is independent noise.
- Where the price stands at the start of a week is a random walk over weeks; inside, the minutes are tied to both ends (a bridge),
  so that any week costs the same to compute and never depends on how much was asked for.
- High and low of a minute have the law of a Brownian motion between its open and its close.

All draws come from hashes of (seed, symbol, what, which): the same everywhere, in any order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import log, sqrt
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from adapters.market_data.simulated_profiles import MarketProfile
from tradingcore.kernel.market import AssetClass, Calendar, from_milliseconds, to_milliseconds
from tradingcore.trading.sessions import sessions_between

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ORIGIN: Final = datetime(2010, 1, 4, tzinfo=UTC)
"""A Monday; no simulated market is older."""
ANCHOR: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""The Monday on which every market stands at the price of its profile."""
WEEK: Final = timedelta(weeks=1)
MINUTE_MS: Final = 60_000
WEEK_MINUTES: Final = 10_080
WEEK_MS: Final = WEEK_MINUTES * MINUTE_MS

_DEGREES: Final = 4.0
_LEVEL_MINUTES: Final = (60, 240, 960, 3_840, 15_360, 61_440)
_LEVEL_SPREADS: Final = (0.16, 0.18, 0.20, 0.22, 0.24, 0.24)
_REGIME_MINUTES: Final = 3 * WEEK_MINUTES
_REGIME_ODDS: Final = (0.50, 0.88)
_REGIMES: Final = (0.60, 1.00, 2.20)
_REGIME_SCALE: Final = 1 / sqrt(0.50 * 0.60**2 + 0.38 * 1.00**2 + 0.12 * 2.20**2)
_SWING: Final = 0.45
"""Drift of a week that swings: standard deviations of an hour, per hour."""
_SWING_ODDS: Final = (0.15, 0.85)
_WEEKS_A_YEAR: Final = 52.18


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """One week of minutes in which the market was open. Prices are logarithms."""

    open_times: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class PriceProcess:
    def __init__(self, name: str, seed: int, profile: MarketProfile, calendar: Calendar) -> None:
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "little")
        self._profile = profile
        self._calendar = calendar
        self._walk = np.zeros(1)
        self._day = _smooth_day(profile.day)
        # A usual week makes up its part of the yearly variance: minutes and closures together.
        start_ms = to_milliseconds(ORIGIN) + 4 * WEEK_MS
        slots = _open_minutes(calendar, start_ms)
        self._day /= np.sqrt(np.mean(self._shape(start_ms, slots) ** 2))
        closures = 0 if calendar is Calendar.ALWAYS else int(np.sum(np.diff(slots) > 1))
        self._week_variance = profile.annual_volatility**2 / _WEEKS_A_YEAR
        self._minute_variance = self._week_variance / (len(slots) + closures * profile.closure_hours * 60)

    def week(self, index: int) -> Minutes:
        """Week ``index`` since `ORIGIN`."""
        start_ms = to_milliseconds(ORIGIN) + index * WEEK_MS
        slots = _open_minutes(self._calendar, start_ms)
        minutes = index * WEEK_MINUTES + slots
        volatility = self._volatility(minutes)
        shape = self._shape(start_ms, slots)
        variance = self._minute_variance * (volatility * shape) ** 2
        is_first = np.ones(len(slots), dtype=np.bool_)
        is_first[1:] = np.diff(slots) > 1
        if self._calendar is Calendar.ALWAYS:
            is_first[:] = False
        elif len(slots) and slots[0] == 0:
            # A session runs on over Monday 00:00 UTC.
            is_first[0] = False
        gap_variance = np.where(is_first, self._minute_variance * 60 * self._profile.closure_hours * volatility**2, 0.0)
        draws = self._uniforms("minutes", index, 7, len(slots))
        moves = np.sqrt(variance) * (_student(draws[0], draws[1]) + self._swing(index, len(slots)))
        gaps = np.sqrt(gap_variance) * _normal(draws[2], draws[3])
        start, stop = self._level(index), self._level(index + 1)
        total = float(np.sum(variance) + np.sum(gap_variance))
        if total:
            missing = (stop - start - float(np.sum(moves) + np.sum(gaps))) / total
            moves = moves + missing * variance
            gaps = gaps + missing * gap_variance
        close = start + np.cumsum(moves + gaps)
        opened = close - moves
        # The extremes of a Brownian bridge: P(max > m) = exp(-2 (m - a)(m - b) / variance).
        reach = 2 * variance
        high = (opened + close + np.sqrt(moves**2 - reach * np.log(draws[4]))) / 2
        low = (opened + close - np.sqrt(moves**2 - reach * np.log(draws[5]))) / 2
        activity = (volatility * shape) ** 1.3 * np.exp(0.6 * _normal_from_uniform(draws[6]))
        volume = self._profile.minute_volume * activity * (1 + 0.5 * np.abs(moves) / np.sqrt(variance))
        return Minutes(start_ms + slots * MINUTE_MS, opened, high, low, close, volume)

    def _swing(self, week: int, count: int) -> Floats:
        """Drift of each of ``count`` minutes, in standard deviations of a minute."""
        (first,), (second,) = self._uniforms("swing", week, 2, 1)
        drift = _SWING / sqrt(60) * (np.searchsorted(_SWING_ODDS, first) - 1)
        # The way back is about as long, so that little of the drift is lost when the week is tied to its end.
        swing: Floats = np.where(np.arange(count) < (0.35 + 0.3 * second) * count, drift, -drift)
        return swing

    def _level(self, week: int) -> float:
        """Log price at the start of a week."""
        anchor = (ANCHOR - ORIGIN) // WEEK
        # Threads may race here: each works on its own copy, and all copies agree.
        walk = self._walk
        known, needed = len(walk), max(week, anchor) + 1
        if needed > known:
            weeks = np.arange(known - 1, needed - 1)
            hours = (weeks[:, None] * WEEK_MINUTES + np.arange(30, WEEK_MINUTES, 60)[None, :]).ravel()
            mean_square: Floats = np.mean(self._volatility(hours).reshape(len(weeks), -1) ** 2, axis=1)
            weekly = self._week_variance * mean_square
            normal = _normal(_unit(self._hash("week", weeks * 2)), _unit(self._hash("week", weeks * 2 + 1)))
            # Minus half the variance: the price itself, not its logarithm, is a fair game.
            steps = np.sqrt(weekly) * normal - weekly / 2
            walk = self._walk = np.concatenate([walk, walk[-1] + np.cumsum(steps)])
        return log(self._profile.price) + float(walk[week] - walk[anchor])

    def _volatility(self, minutes: Integers) -> Floats:
        """Relative volatility at minutes since the origin, without the shape of the day."""
        product: Floats = self._regime(minutes)
        for number, (length, spread) in enumerate(zip(_LEVEL_MINUTES, _LEVEL_SPREADS, strict=True)):
            cells, inverse = np.unique(self._cells(f"level{number}", length, minutes), return_inverse=True)
            normal = _normal(_unit(self._hash(f"level{number}", cells * 2)), _unit(self._hash(f"level{number}", cells * 2 + 1)))
            # exp(s z - s^2) has a mean square of one.
            level: Floats = np.exp(spread * normal - spread**2)
            product *= level[inverse]
        return product

    def _regime(self, minutes: Integers) -> Floats:
        cells, inverse = np.unique(self._cells("regime", _REGIME_MINUTES, minutes), return_inverse=True)
        odds = _unit(self._hash("regime", cells))
        levels: Floats = np.array(_REGIMES)[np.searchsorted(_REGIME_ODDS, odds)] * _REGIME_SCALE
        return levels[inverse]

    def _cells(self, what: str, length: int, minutes: Integers) -> Integers:
        """Which stretch each minute lies in: one begins at a random minute of every interval of ``length``."""
        intervals = minutes // length
        distinct, inverse = np.unique(intervals, return_inverse=True)
        begins = distinct * length + (_unit(self._hash(what + ":begins", distinct)) * length).astype(np.int64)
        cells: Integers = intervals - (minutes < begins[inverse])
        return cells

    def _shape(self, start_ms: int, slots: Integers) -> Floats:
        offsets = _local_offsets(self._profile.asset_class, start_ms)
        shape: Floats = self._day[(slots + offsets[slots // 1_440]) % 1_440]
        return shape

    def _hash(self, what: str, numbers: Integers) -> npt.NDArray[np.uint64]:
        salt = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "little") ^ self._key
        return _mix(numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt))

    def _uniforms(self, what: str, index: int, rows: int, columns: int) -> Floats:
        base = index * rows * WEEK_MINUTES
        return _unit(self._hash(what, base + np.arange(rows)[:, None] * WEEK_MINUTES + np.arange(columns)[None, :]))


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _unit(state: npt.NDArray[np.uint64]) -> Floats:
    """Numbers strictly between 0 and 1."""
    return ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _normal(u: Floats, v: Floats) -> Floats:
    normal: Floats = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
    return normal


def _normal_from_uniform(u: Floats) -> Floats:
    """A logistic of unit variance: close to normal, from one draw."""
    logistic: Floats = np.log(u / (1 - u)) * (sqrt(3) / np.pi)
    return logistic


def _student(u: Floats, v: Floats) -> Floats:
    """Student's t with `_DEGREES` degrees of freedom, scaled to unit variance, cut at eight deviations."""
    radius = np.sqrt(_DEGREES * (u ** (-2 / _DEGREES) - 1))
    student = radius * np.cos(2 * np.pi * v) * sqrt((_DEGREES - 2) / _DEGREES)
    return np.clip(student, -8.0, 8.0)


def _smooth_day(hours: tuple[float, ...]) -> Floats:
    """24 hourly levels as 1,440 minutes, joined by lines through the middle of each hour."""
    middle = np.arange(24) * 60 + 30
    day: Floats = np.interp(np.arange(1_440), np.concatenate([middle - 1_440, middle, middle + 1_440]), np.tile(hours, 3))
    return day


@lru_cache(maxsize=64)
def _open_minutes(calendar: Calendar, start_ms: int) -> Integers:
    """Minutes of the week at which the market is open."""
    if calendar is Calendar.ALWAYS:
        return np.arange(WEEK_MINUTES)
    is_open = np.zeros(WEEK_MINUTES, dtype=np.bool_)
    for session in sessions_between(calendar, start_ms, start_ms + WEEK_MS):
        is_open[max(0, (session.opens - start_ms) // MINUTE_MS) : max(0, (session.closes - start_ms) // MINUTE_MS)] = True
    return np.flatnonzero(is_open)


@lru_cache(maxsize=64)
def _local_offsets(asset_class: AssetClass, start_ms: int) -> Integers:
    """Minutes to add to UTC on each day of the week."""
    if asset_class is AssetClass.CRYPTO:
        return np.zeros(7, dtype=np.int64)
    zone = ZoneInfo("America/New_York")
    noons = (from_milliseconds(start_ms) + timedelta(days=day, hours=18) for day in range(7))
    return np.array([(noon.astimezone(zone).utcoffset() or timedelta()) // timedelta(minutes=1) for noon in noons], dtype=np.int64)
