"""Candles in memory: growing columns whose committed part never changes in place, so that windows are views without a copy."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.memory.database import MemoryDatabase
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, from_milliseconds, to_milliseconds
from tradingcore.trading.errors import CandleConflict, SymbolNotFound
from tradingcore.trading.ports import CandleStore, MergeCounts, SeriesExtent

Numbers = tuple[float, float, float, float, float]
Prices = tuple[Any, ...]
FIRST_CAPACITY: Final = 1024
REPORTED: Final = 20


class Columns:
    """One stored series. Appends write behind the end of every view that was handed out; anything else builds new columns."""

    __slots__ = ("_capacity", "_columns", "_times", "key", "size")

    def __init__(self, key: SeriesKey, capacity: int = FIRST_CAPACITY) -> None:
        self.key = key
        self.size = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self._times = memoryview(bytearray(8 * capacity)).cast("q")
        self._columns: Prices = tuple(memoryview(bytearray(8 * capacity)).cast("d") for _ in range(5))

    def _reserve(self, count: int) -> None:
        if self.size + count <= self._capacity:
            return
        times, columns = self._times, self._columns
        self._allocate(max(2 * self._capacity, self.size + count))
        self._times[: self.size] = times[: self.size]
        for column, old in zip(self._columns, columns, strict=True):
            column[: self.size] = old[: self.size]

    @property
    def times(self) -> memoryview:
        return self._times[: self.size]

    @property
    def last(self) -> int | None:
        return self._times[self.size - 1] if self.size else None

    def find(self, at: int) -> Numbers | None:
        index = bisect_left(self._times, at, 0, self.size)
        if index == self.size or self._times[index] != at:
            return None
        open_, high, low, close, volume = self._columns
        return (open_[index], high[index], low[index], close[index], volume[index])

    def append(self, at: int, numbers: Numbers) -> None:
        self._reserve(1)
        size = self.size
        self._times[size] = at
        for column, value in zip(self._columns, numbers, strict=True):
            column[size] = value
        self.size = size + 1

    def extend(self, series: CandleSeries) -> None:
        self._reserve(len(series))
        stop = self.size + len(series)
        self._times[self.size : stop] = series.open_times.cast("B").cast("q")
        for column, new in zip(self._columns, _prices(series), strict=True):
            column[self.size : stop] = new
        self.size = stop

    def rebuilt(self, changes: dict[int, Numbers]) -> Columns:
        """New columns with the changes merged in; whoever holds a view of the old ones keeps it as it was."""
        merged = {at: self._numbers(index) for index, at in enumerate(self.times)} | changes
        columns = Columns(self.key, max(FIRST_CAPACITY, len(merged)))
        for at in sorted(merged):
            columns.append(at, merged[at])
        return columns

    def _numbers(self, index: int) -> Numbers:
        open_, high, low, close, volume = self._columns
        return (open_[index], high[index], low[index], close[index], volume[index])

    def series(self, start: int, stop: int) -> CandleSeries:
        part = slice(start, stop)
        return CandleSeries(self.key, *(column[part].toreadonly() for column in (self._times, *self._columns)))


def _prices(series: CandleSeries) -> tuple[memoryview, ...]:
    return (series.open, series.high, series.low, series.close, series.volume)


def numbers_of(candle: Candle) -> Numbers:
    return (candle.open, candle.high, candle.low, candle.close, candle.volume)


class StagedCandles:
    """Candles that one unit of work wants to add."""

    __slots__ = ("_added", "_database")

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._added: dict[SeriesKey, dict[int, Numbers]] = {}

    def add(self, key: SeriesKey, candles: Iterable[Candle]) -> None:
        added = self._added.setdefault(key, {})
        for candle in candles:
            at, numbers = to_milliseconds(candle.open_time), numbers_of(candle)
            stored = added.get(at) or self._stored(key, at)
            if stored is None:
                added[at] = numbers
            elif stored != numbers:
                raise conflict(key, at)

    def _stored(self, key: SeriesKey, at: int) -> Numbers | None:
        columns = self._database.candles.get(key)
        return None if columns is None else columns.find(at)

    def check(self) -> None:
        for key, added in self._added.items():
            for at, numbers in added.items():
                if self._stored(key, at) not in (None, numbers):
                    raise conflict(key, at)

    def apply(self) -> None:
        for key, added in self._added.items():
            store_candles(self._database, key, added)


def conflict(key: SeriesKey, at: int) -> CandleConflict:
    return CandleConflict(f"{key} already has a different candle at {from_milliseconds(at).isoformat()}")


def store_candles(database: MemoryDatabase, key: SeriesKey, changes: dict[int, Numbers]) -> None:
    columns = database.candles.get(key)
    if columns is None:
        columns = database.candles[key] = Columns(key)
    last = columns.last
    if last is None or all(at > last for at in changes):
        for at in sorted(changes):
            columns.append(at, changes[at])
    else:
        database.candles[key] = columns.rebuilt(changes)


class MemoryCandleStore(CandleStore):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def window(self, key: SeriesKey, *, last: datetime, count: int) -> CandleSeries:
        columns = self._database.candles.get(key)
        if columns is None:
            return CandleSeries.of(key, ())
        stop = bisect_right(columns.times, to_milliseconds(last))
        return columns.series(max(0, stop - count), stop)

    async def between(
        self, key: SeriesKey, *, start: datetime | None = None, stop: datetime | None = None, limit: int | None = None
    ) -> CandleSeries:
        columns = self._database.candles.get(key)
        if columns is None:
            return CandleSeries.of(key, ())
        first = 0 if start is None else bisect_left(columns.times, to_milliseconds(start))
        end = columns.size if stop is None else bisect_left(columns.times, to_milliseconds(stop))
        end = max(first, end)
        return columns.series(first, end if limit is None else min(end, first + limit))

    async def extent(self, key: SeriesKey) -> SeriesExtent | None:
        columns = self._database.candles.get(key)
        if columns is None or not columns.size:
            return None
        times = columns.times
        return SeriesExtent(key=key, count=len(times), first=from_milliseconds(times[0]), last=from_milliseconds(times[-1]))

    async def list_extents(self) -> Sequence[SeriesExtent]:
        found = [
            await self.extent(key) for key in sorted(self._database.candles, key=lambda key: (key.symbol, key.timeframe.duration))
        ]
        return [extent for extent in found if extent is not None]

    async def merge(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries], *, replace: bool) -> MergeCounts:
        if key.symbol not in self._database.symbols.rows:
            raise SymbolNotFound(f"there is no symbol {key.symbol}")
        merged = [chunk async for chunk in chunks if len(chunk)]
        stored = self._database.candles.get(key) or Columns(key)
        if _only_appends(stored, merged):
            for chunk in merged:
                stored.extend(chunk)
            self._database.candles[key] = stored
            return MergeCounts(inserted=sum(map(len, merged)), unchanged=0, changed=0, differing=0, first_differing=())
        last_ones: dict[int, Numbers] = {}
        for chunk in merged:
            last_ones.update(zip(chunk.open_times, zip(*_prices(chunk), strict=True), strict=True))
        return self._merge(key, stored, last_ones, replace=replace)

    def _merge(self, key: SeriesKey, stored: Columns, candles: dict[int, Numbers], *, replace: bool) -> MergeCounts:
        known = {at: stored.find(at) for at in sorted(candles)}
        new = [at for at, numbers in known.items() if numbers is None]
        differing = [at for at, numbers in known.items() if numbers not in (None, candles[at])]
        written = new + differing if replace else new
        if written:
            store_candles(self._database, key, {at: candles[at] for at in written})
        return MergeCounts(
            inserted=len(new),
            unchanged=len(known) - len(new) - len(differing),
            changed=len(differing) if replace else 0,
            differing=0 if replace else len(differing),
            first_differing=tuple(from_milliseconds(at) for at in differing[:REPORTED]),
        )


def _only_appends(stored: Columns, chunks: Sequence[CandleSeries]) -> bool:
    last = stored.last
    for chunk in chunks:
        if last is not None and chunk.open_times[0] <= last:
            return False
        last = chunk.open_times[-1]
    return True
