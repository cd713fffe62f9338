"""One pass of the kernels over a series: the numbers that all horizons share, then the columns in chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator
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

COMMON_COLUMNS: Final = sum(len(family) for family in COMMON)

_CHUNK_ROWS: Final = 1024
"""All columns of a chunk stay in the processor's cache until they are turned into rows."""


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
        """Raise `DataUnfit` for candles that do not increase in time."""
        times = viewed(candles.open_times)
        ordered = times[1:] > times[:-1]
        if not ordered.all():
            at = int(ordered.argmin()) + 1
            raise DataUnfit(f"candle {at} of {len(times)} of {candles.key} does not open after the one before: sort the candles")
        return cls(times, *map(viewed, (candles.open, candles.high, candles.low, candles.close, candles.volume)))

    def last(self, count: int) -> CandleColumns:
        return CandleColumns(*(getattr(self, name)[-count:] for name in ("times", "open", "high", "low", "close", "volume")))


class Computation:
    """The features of the last ``rows`` candles. ``atr`` and ``scale`` (a and s, at least `FLOOR`) have one value per row."""

    def __init__(self, columns: CandleColumns, rows: int, parameters: Parameters, *, step: int, has_volume: bool) -> None:
        self._all = columns
        self._near = near = columns.last(parameters.near + rows - 1)
        self._first = first = parameters.near - 1
        self._rows = rows
        self._parameters = parameters
        self._step = step
        self._has_volume = has_volume
        self._windows = np.array(parameters.windows)
        count = len(near.close)
        self._candle = np.empty((base.CANDLE_ROWS, count))
        self._head = np.empty((base.SUM_ROWS, count + 1))
        self._tail = np.empty((base.SUM_ROWS, count + 1))
        base.decompose(near.open, near.high, near.low, near.close, near.volume, self._candle, self._head, self._tail)
        self.scale = np.empty(rows)
        base.scales(self._head, self._tail, first, parameters.day, FLOOR, self.scale)
        emas, rsis, macd, wilder = _periods(parameters)
        self._recursive = np.empty((oscillators.RECURSIVE_ROWS, rows))
        oscillators.recursive(
            near.high,
            near.low,
            near.close,
            self._candle,
            first - parameters.recursion,
            first,
            emas,
            rsis,
            macd,
            wilder,
            self._recursive,
        )
        self.atr = np.maximum(self._recursive[oscillators.ATR], FLOOR)
        self._highest = np.empty((len(self._windows), rows))
        self._lowest = np.empty((len(self._windows), rows))
        for k, window in enumerate(parameters.windows):
            base.extremes(near.high, near.low, first, window, self._highest[k], self._lowest[k])

    def common(self, out: Singles) -> None:
        """Fill the columns that are equal for every horizon: ``out`` is (rows, COMMON_COLUMNS)."""
        near, candle, head, tail, windows, parameters = (
            self._near,
            self._candle,
            self._head,
            self._tail,
            self._windows,
            self._parameters,
        )
        sines, cosines = _clock_table(self._step)
        for offset, at, block, atr, scale in self._chunks(COMMON_COLUMNS):
            parts = _split(block)
            volatility.volatility(parts[0], head, tail, atr, scale, at, windows)
            momentum.momentum(
                parts[1],
                near.close,
                near.volume,
                self._highest,
                self._lowest,
                offset,
                head,
                tail,
                scale,
                at,
                windows,
                self._has_volume,
            )
            momentum.last_candles(parts[2], candle, scale, at)
            oscillators.oscillators(parts[3], near.close, self._recursive, offset, scale, at, parameters.bollinger)
            moments.moments(parts[4], candle, head, tail, at, len(scale), parameters.moments)
            seasonality.clock(parts[5], near.times, sines, cosines, at, len(scale), self._step)
            volatility.har(parts[6], candle, head, tail, atr, at, parameters.day, parameters.week)
            _store(block, out[offset : offset + len(scale)])

    def of_horizon(self, candles_ahead: int, out: Singles) -> None:
        """Fill the columns of a horizon: ``out`` is (rows, len(OF_HORIZON))."""
        near, head, tail = self._near, self._head, self._tail
        highest = np.empty(self._rows)
        lowest = np.empty(self._rows)
        base.extremes(near.high, near.low, self._first, candles_ahead, highest, lowest)
        ratio = np.ones(self._rows)
        if self._step < seasonality.DAY_MILLISECONDS:
            far = self._all.last(self._parameters.profile + self._rows)
            seasonality.coming_range(
                far.times,
                far.high,
                far.low,
                far.close,
                self._parameters.profile,
                candles_ahead,
                self._parameters.profile,
                self._step,
                ratio,
            )
        for offset, at, block, atr, scale in self._chunks(len(OF_HORIZON)):
            horizon.horizon_terms(block, near.close, highest, lowest, ratio, offset, head, tail, atr, scale, at, candles_ahead)
            _store(block, out[offset : offset + len(scale)])

    def _chunks(self, columns: int) -> Iterator[tuple[int, int, Singles, Floats, Floats]]:
        block = np.empty((columns, min(_CHUNK_ROWS, self._rows)), dtype=np.float32)
        for offset in range(0, self._rows, _CHUNK_ROWS):
            part = slice(offset, offset + _CHUNK_ROWS)
            yield offset, self._first + offset, block, self.atr[part], self.scale[part]


def _split(block: Singles) -> list[Singles]:
    parts = []
    start = 0
    for family in COMMON:
        parts.append(block[start : start + len(family)])
        start += len(family)
    return parts


def _store(block: Singles, out: Singles) -> None:
    np.clip(block[:, : len(out)].T, -LIMIT, LIMIT, out=out)


@lru_cache(maxsize=8)
def _periods(parameters: Parameters) -> tuple[Integers, Integers, Integers, Integers]:
    p = parameters
    return (
        np.array((p.ema_fast, p.ema_middle, p.ema_slow)),
        np.array((p.rsi_fast, p.rsi_middle, p.rsi_slow)),
        np.array((p.macd_fast, p.macd_slow, p.macd_signal)),
        np.array((p.atr, p.directional)),
    )


@lru_cache(maxsize=8)
def _clock_table(step: int) -> tuple[Floats, Floats]:
    angle = 2.0 * pi * np.arange(0.0, seasonality.DAY_MILLISECONDS, step) / seasonality.DAY_MILLISECONDS
    return np.sin(angle), np.cos(angle)
