"""One pass of the kernels over a series: the numbers that all horizons share, then the columns in chunks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import Final, Self

import numpy as np

from adapters.numba.columns import COMMON, OF_HORIZON
from adapters.numba.compiled import Floats, Integers, Singles, viewed
from adapters.numba.kernels import base, horizon, moments, momentum, oscillators, seasonality, volatility
from adapters.numba.parameters import Parameters
from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.errors import DataUnfit

FLOOR: Final = 1e-7
"""Least scale and ATR, a thousandth of a basis point: a market that stands still divides nothing by zero."""

LIMIT: Final = 100.0
"""Every column is clipped to this size: only a market that stood still and then moved gets there."""

_LARGEST: Final = 1e100
"""Ratios and squares of prices up to here stay finite."""

COMMON_COLUMNS: Final = sum(len(family) for family in COMMON)


@dataclass(frozen=True, slots=True)
class CandleColumns:
    times: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def of(cls, candles: CandleSeries) -> Self:
        """Raise `DataUnfit` for candles that do not increase in time, or hold numbers that no market has (or NaN)."""
        times = viewed(candles.open_times)
        ordered = times[1:] > times[:-1]
        if not ordered.all():
            at = int(ordered.argmin()) + 1
            raise DataUnfit(f"candle {at} of {len(times)} of {candles.key} does not open after the one before: sort the candles")
        columns = cls(times, *map(viewed, (candles.open, candles.high, candles.low, candles.close, candles.volume)))
        lowest, highest, volume = columns.low.min(), columns.high.max(), columns.volume.max()
        if not (lowest > 1.0 / _LARGEST and highest < _LARGEST and volume < _LARGEST):
            raise DataUnfit(
                f"{candles.key} has prices from {lowest} to {highest} and volume up to {volume}: "
                f"they must lie between {1.0 / _LARGEST} and {_LARGEST}"
            )
        return columns

    def part(self, start: int, stop: int) -> CandleColumns:
        names = ("times", "open", "high", "low", "close", "volume")
        return CandleColumns(*(getattr(self, name)[start:stop] for name in names))


class Computation:
    """The features of the last ``rows`` of the candles in ``columns``; before them come at least ``w_max`` - 1 others.

    ``atr`` and ``scale`` (a and s, at least `FLOOR`) have one value per row.
    """

    def __init__(self, columns: CandleColumns, rows: int, parameters: Parameters, *, step: int, has_volume: bool) -> None:
        self._parameters = parameters
        self._step = step
        self._has_volume = has_volume
        self._rows = rows
        count = len(columns.close)
        self._far = columns.part(count - rows - parameters.profile, count)
        self._near = near = columns.part(count - rows - parameters.near + 1, count)
        self._first = first = parameters.near - 1
        count = len(near.close)
        self._candle = np.empty((base.CANDLE_ROWS, count))
        self._head = np.empty((base.SUM_ROWS, count + 1))
        self._tail = np.empty((base.SUM_ROWS, count + 1))
        base.decompose(near.open, near.high, near.low, near.close, near.volume, self._candle, self._head, self._tail)
        self.scale = np.empty(rows)
        base.scales(self._head, self._tail, first, parameters.day, FLOOR, self.scale)
        self._recursive = np.empty((oscillators.RECURSIVE_ROWS, rows))
        start = first - parameters.recursion
        periods = _periods(parameters)
        oscillators.recursive(near.high, near.low, near.close, self._candle, start, first, periods, self._recursive)
        self.atr = np.maximum(self._recursive[oscillators.ATR], FLOOR)

    def common(self, out: Singles) -> None:
        """Fill the columns that are equal for every horizon, the first of ``out``, which has ``rows`` rows."""
        p, near, candle, head, tail, first = self._parameters, self._near, self._candle, self._head, self._tail, self._first
        windows = np.array(p.windows)
        highest = np.empty((len(windows), self._rows))
        lowest = np.empty((len(windows), self._rows))
        for k, window in enumerate(p.windows):
            base.extremes(near.high, near.low, first, window, highest[k], lowest[k])
        sines, cosines = _clock_table(self._step)
        block = np.empty((COMMON_COLUMNS, self._rows), dtype=np.float32)
        parts = _split(block)
        volatility.volatility(parts[0], head, tail, self.atr, self.scale, first, windows)
        momentum.momentum(
            parts[1], near.close, near.volume, highest, lowest, head, tail, self.scale, first, windows, self._has_volume
        )
        momentum.last_candles(parts[2], candle, self.scale, first)
        oscillators.oscillators(parts[3], near.close, self._recursive, self.scale, first, p.bollinger)
        moments.moments(parts[4], candle, head, tail, first, p.moments)
        seasonality.clock(parts[5], near.times, sines, cosines, first, self._step)
        volatility.har(parts[6], candle, head, tail, self.atr, first, p.day, p.week)
        base.store(block, LIMIT, out, 0)

    def of_horizon(self, candles: int, out: Singles) -> None:
        """Fill the columns of a horizon of so many ``candles``, the last of ``out``."""
        near, profile = self._near, self._parameters.profile
        highest = np.empty(self._rows)
        lowest = np.empty(self._rows)
        base.extremes(near.high, near.low, self._first, candles, highest, lowest)
        ratio = np.ones(self._rows)
        if self._step < seasonality.DAY_MILLISECONDS:
            far = self._far
            seasonality.coming_range(far.times, far.high, far.low, far.close, profile, candles, self._step, ratio)
        block = np.empty((len(OF_HORIZON), self._rows), dtype=np.float32)
        horizon.horizon_terms(
            block, near.close, highest, lowest, ratio, self._head, self._tail, self.atr, self.scale, self._first, candles
        )
        base.store(block, LIMIT, out, COMMON_COLUMNS)


def _split(block: Singles) -> list[Singles]:
    parts = []
    start = 0
    for family in COMMON:
        parts.append(block[start : start + len(family)])
        start += len(family)
    return parts


@lru_cache(maxsize=8)
def _periods(parameters: Parameters) -> Integers:
    p = parameters
    emas = (p.ema_fast, p.ema_middle, p.ema_slow, p.macd_fast, p.macd_slow, p.macd_signal)
    return np.array((*emas, p.rsi_fast, p.rsi_middle, p.rsi_slow, p.atr, p.directional))


@lru_cache(maxsize=8)
def _clock_table(step: int) -> tuple[Floats, Floats]:
    angle = 2.0 * pi * np.arange(0.0, seasonality.DAY_MILLISECONDS, step) / seasonality.DAY_MILLISECONDS
    return np.sin(angle), np.cos(angle)
