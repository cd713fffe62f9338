"""Candles of a longer timeframe from those of a shorter one."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import fsum

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Calendar, CandleSeries, SeriesKey, Timeframe, from_milliseconds, to_milliseconds
from tradingcore.trading.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """``incomplete`` holds the open times of buckets that lack a candle which the calendar expects."""

    series: CandleSeries
    incomplete: tuple[datetime, ...]


def resample(candles: CandleSeries, target: Timeframe, calendar: Calendar = Calendar.ALWAYS) -> Resampled:
    """Join candles into buckets of ``target``: first open, highest high, lowest low, last close, summed volume.

    Buckets are aligned to UTC, weeks to Monday 00:00. A bucket without a candle does not appear. Sums are exact
    (``math.fsum``), so the result does not depend on how the work is cut as long as buckets stay whole. Raises `InvalidInput`
    when ``target`` is not longer than the timeframe of ``candles``.
    """
    source = candles.key.timeframe
    if target.milliseconds <= source.milliseconds:
        raise InvalidInput(f"candles can be joined into longer ones only: {source.value} does not make {target.value}")
    key = SeriesKey(candles.key.symbol, target)
    times = array("q")
    columns = tuple(array("d") for _ in range(5))
    incomplete: list[datetime] = []
    sessions = Sessions(calendar, source)
    full = target.milliseconds // source.milliseconds
    for start, stop in pairwise(_bucket_bounds(candles.open_times, target)):
        opens_at = _bucket_of(candles.open_times[start], target)
        times.append(opens_at)
        values = (
            candles.open[start],
            max(candles.high[start:stop]),
            min(candles.low[start:stop]),
            candles.close[stop - 1],
            fsum(candles.volume[start:stop]),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value)
        if stop - start < full and not _is_complete(sessions, candles.open_times[start:stop], opens_at, target):
            incomplete.append(from_milliseconds(opens_at))
    return Resampled(series=CandleSeries.from_columns(key, times, *columns), incomplete=tuple(incomplete))


def _bucket_of(at: int, target: Timeframe) -> int:
    return to_milliseconds(target.open_of(from_milliseconds(at)))


def _bucket_bounds(times: memoryview, target: Timeframe) -> list[int]:
    """Index of the first candle of each bucket, and the end."""
    bounds, index = [], 0
    while index < len(times):
        bounds.append(index)
        closes_at = _bucket_of(times[index], target) + target.milliseconds
        index = bisect_left(times, closes_at, index, min(len(times), index + target.milliseconds))
    return [*bounds, len(times)] if bounds else []


def _is_complete(sessions: Sessions, times: memoryview, opens_at: int, target: Timeframe) -> bool:
    return set(sessions.expected(opens_at, opens_at + target.milliseconds)) <= set(times)
