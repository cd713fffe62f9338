"""Made-up markets, seeded and the same on every machine: clustered volatility, heavy tails, sessions, a time-of-day profile."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp, pi, sin, sqrt
from typing import Final

from tradingcore.kernel.market import Calendar, CandleSeries, SeriesKey, SymbolCode, Timeframe, from_milliseconds, to_milliseconds

_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_SUNDAY: Final = 6
_SATURDAY: Final = 5
_FRIDAY: Final = 4
_EQUITY_HOURS: Final = range(14, 21)
_BREAK_HOUR: Final = 22


def a_market(
    count: int = 3_000,
    *,
    key: SeriesKey = SeriesKey(SymbolCode("TEST/USD"), Timeframe.H1),  # noqa: B008 -- frozen
    calendar: Calendar = Calendar.ALWAYS,
    seed: int = 1,
    has_volume: bool = True,
    tick: float = 1e-5,
) -> CandleSeries:
    """``count`` candles from 2024-01-01 on, prices near 1 and rounded to ``tick``. Missing hours follow ``calendar``."""
    draws = _uniforms(seed)
    times = array("q")
    columns = tuple(array("d") for _ in range(5))
    price, level = 1.0, 0.0
    for at in _opens(calendar, key.timeframe):
        if len(times) == count:
            break
        level = 0.97 * level + 0.12 * _bell(draws)
        spread = exp(level)
        day_part = (at.hour * 60 + at.minute) / 1440
        deviation = 0.002 * spread * (1.0 + 0.6 * sin(2 * pi * (day_part - 0.3)))
        open_ = price * exp(0.1 * deviation * _bell(draws))
        path = [open_]
        for _ in range(4):
            path.append(path[-1] * exp(0.5 * deviation * _bell(draws)))
        price = path[-1]
        rounded = [max(round(value / tick), 1) * tick for value in (open_, max(path), min(path), price)]
        volume = round(1000.0 * exp(0.5 * _bell(draws)) * spread, 2) if has_volume else 0.0
        times.append(to_milliseconds(at))
        for column, value in zip(columns, (*rounded, volume), strict=True):
            column.append(value)
    return CandleSeries.from_columns(key, times, *columns)


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether a made-up market trades in the hour of ``at``. Real sessions are observed, not computed."""
    if calendar is Calendar.ALWAYS:
        return True
    if calendar is Calendar.US_EQUITY:
        return at.weekday() < _SATURDAY and at.hour in _EQUITY_HOURS
    if at.weekday() == _SATURDAY:
        return False
    if calendar is Calendar.METAL_WEEK and at.hour == _BREAK_HOUR:
        return False
    return not (at.weekday() == _FRIDAY and at.hour >= _BREAK_HOUR) and not (at.weekday() == _SUNDAY and at.hour < _BREAK_HOUR)


def _opens(calendar: Calendar, timeframe: Timeframe) -> Iterator[datetime]:
    at = timeframe.open_of(_START)
    daily = timeframe.duration >= timedelta(days=1)
    while True:
        if (at.weekday() < _SATURDAY or calendar is Calendar.ALWAYS) if daily else is_open(calendar, at):
            yield at
        at = from_milliseconds(to_milliseconds(at) + timeframe.milliseconds)


def _uniforms(seed: int) -> Iterator[float]:
    block = 0
    while True:
        digest = hashlib.blake2b(f"{seed}:{block}".encode(), digest_size=64).digest()
        for start in range(0, 64, 4):
            yield int.from_bytes(digest[start : start + 4], "big") / 2**32
        block += 1


def _bell(draws: Iterator[float]) -> float:
    """Mean 0, variance near 1, tails heavier than normal."""
    middle = sum(next(draws) for _ in range(4)) - 2.0
    return middle * sqrt(3.0) * (2.5 if next(draws) > 0.97 else 0.9)
