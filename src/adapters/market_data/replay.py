"""Feeds that deliver candles of several series in the order in which they closed: out of a store, or out of a simulated market."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Final

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey
from tradingcore.kernel.ports import Clock
from tradingcore.trading.ports import CandleStore, FeedCandle, MarketDataFeed

CHUNK_CANDLES: Final = 2_000
_LONGEST_SLEEP_SECONDS: Final = 60.0


class RecordedFeed(MarketDataFeed):
    """Candles that exist already, series by series from a start each.

    A candle is received when it closes, on the feed's own clock. ``candles_per_second`` is the pace over all series together,
    ``None`` as fast as they are taken. With ``clock`` no candle comes before that clock has reached its close: real time.
    """

    def __init__(
        self,
        series: Mapping[SeriesKey, datetime],
        *,
        source: str,
        stop: datetime | None = None,
        candles_per_second: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        if candles_per_second is not None and candles_per_second <= 0:
            raise InvalidInput(f"the speed must be above zero candles a second, was {candles_per_second}")
        self._series = dict(series)
        self._source = source
        self._stop = stop
        self._pace = candles_per_second
        self._clock = clock

    @abstractmethod
    async def _read(self, key: SeriesKey, start: datetime, stop: datetime | None) -> CandleSeries:
        """The next candles with ``start <= open time < stop``, a bounded number of them; none at the end."""

    async def closed_candles(self) -> AsyncIterator[FeedCandle]:
        """Yield by close time; candles that close together come in the order in which the series were given."""
        started, delivered = asyncio.get_running_loop().time(), 0
        async for key, candle in self._merged():
            closes_at = key.timeframe.close_of(candle.open_time)
            await self._wait(started, delivered, closes_at)
            delivered += 1
            yield FeedCandle(key=key, candle=candle, received_at=closes_at, source=self._source)

    async def backfill(self, key: SeriesKey, *, after: datetime, before: datetime) -> Sequence[Candle]:
        start, found = after + timedelta(milliseconds=1), list[Candle]()
        while len(chunk := await self._read(key, start, before)):
            found.extend(chunk)
            start = key.timeframe.close_of(chunk.last_open_time)
        return found

    async def _merged(self) -> AsyncIterator[tuple[SeriesKey, Candle]]:
        streams = [self._one(key, start) for key, start in self._series.items()]
        keys = list(self._series)
        heads: list[tuple[datetime, int, Candle]] = []

        async def refill(position: int) -> None:
            candle = await anext(streams[position], None)
            if candle is not None:
                heappush(heads, (keys[position].timeframe.close_of(candle.open_time), position, candle))

        for position in range(len(streams)):
            await refill(position)
        while heads:
            _, position, candle = heappop(heads)
            yield keys[position], candle
            await refill(position)

    async def _one(self, key: SeriesKey, start: datetime) -> AsyncIterator[Candle]:
        while len(chunk := await self._read(key, start, self._stop)):
            for candle in chunk:
                yield candle
            start = key.timeframe.close_of(chunk.last_open_time)

    async def _wait(self, started: float, delivered: int, closes_at: datetime) -> None:
        if self._pace is not None:
            # Against the start, not the candle before: a slow moment is made up for.
            due = started + delivered / self._pace
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        if self._clock is not None:
            # In steps, since the clock may be corrected meanwhile.
            while (ahead := (closes_at - self._clock.now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock has no event to wait for
                await asyncio.sleep(min(ahead, _LONGEST_SLEEP_SECONDS))


class ReplayFeed(RecordedFeed):
    """Stored candles, lived through again. ``source`` says where they came from (``file``, ``simulated``).

    Candles that are stored while the replay runs belong to it when they lie ahead of it.
    """

    def __init__(
        self,
        candles: CandleStore,
        series: Mapping[SeriesKey, datetime],
        *,
        source: str,
        stop: datetime | None = None,
        candles_per_second: float | None = None,
    ) -> None:
        super().__init__(series, source=source, stop=stop, candles_per_second=candles_per_second)
        self._candles = candles

    async def _read(self, key: SeriesKey, start: datetime, stop: datetime | None) -> CandleSeries:
        return await self._candles.between(key, start=start, stop=stop, limit=CHUNK_CANDLES)
