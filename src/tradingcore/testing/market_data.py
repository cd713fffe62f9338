"""Contracts of what brings candles in and out: sources, sinks, feeds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import cast

import pytest

from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey
from tradingcore.testing.builders import BTC_1H, a_series
from tradingcore.trading.ports import CandleChunk, CandleSink, CandleSource, FeedCandle, MarketDataFeed, RejectedRow, RejectSink


@pytest.mark.asyncio
class CandleSourceContract:
    """Fixtures: ``source``, and ``series``: what it holds, at least two candles."""

    @pytest.fixture
    def source(self) -> CandleSource:
        raise NotImplementedError("supply a source of the candles of the fixture `series`")

    @pytest.fixture
    def series(self) -> CandleSeries:
        raise NotImplementedError("supply the candles that the source holds")

    async def test_every_candle_comes_once(self, source: CandleSource, series: CandleSeries) -> None:
        chunks = [chunk async for chunk in source.chunks(series.key)]
        candles = sorted((candle for chunk in chunks for candle in chunk.candles), key=lambda candle: candle.open_time)
        assert candles == list(series)
        assert {chunk.candles.key for chunk in chunks} == {series.key}

    async def test_chunks_are_in_order(self, source: CandleSource, series: CandleSeries) -> None:
        async for chunk in source.chunks(series.key):
            times = list(chunk.candles.open_times)
            assert times == sorted(set(times))

    async def test_rows_and_bytes_add_up(self, source: CandleSource, series: CandleSeries) -> None:
        chunks = [chunk async for chunk in source.chunks(series.key)]
        assert sum(chunk.rows_read for chunk in chunks) == sum(len(chunk.candles) + len(chunk.rejected) for chunk in chunks)
        if source.size_bytes is not None:
            assert sum(chunk.bytes_read for chunk in chunks) == source.size_bytes

    async def test_source_can_be_read_again_after_it_was_left(self, source: CandleSource, series: CandleSeries) -> None:
        async with aclosing(cast(AsyncGenerator[CandleChunk, None], source.chunks(series.key))) as chunks:
            await anext(chunks)
        assert sum([len(chunk.candles) async for chunk in source.chunks(series.key)]) == len(series)


async def _chunks(*parts: CandleSeries, error: Exception | None = None) -> AsyncIterator[CandleSeries]:
    for part in parts:
        yield part
    if error is not None:
        raise error


@pytest.mark.asyncio
class CandleSinkContract:
    """Fixture ``sink``, and ``read_back``: the candles that lie there now, ``None`` for nothing at all."""

    @pytest.fixture
    def sink(self) -> CandleSink:
        raise NotImplementedError("supply a sink that holds nothing yet")

    @abstractmethod
    async def read_back(self, sink: CandleSink) -> list[Candle] | None: ...

    async def test_all_chunks_are_written_exactly(self, sink: CandleSink) -> None:
        series = a_series(50, close=100 + 1 / 3)
        assert await sink.write(BTC_1H, _chunks(series.slice(0, 20), series.slice(20, 50))) == 50
        assert await self.read_back(sink) == list(series)

    async def test_writing_again_replaces_what_was_there(self, sink: CandleSink) -> None:
        await sink.write(BTC_1H, _chunks(a_series(50)))
        await sink.write(BTC_1H, _chunks(a_series(5, close=7.0)))
        assert await self.read_back(sink) == list(a_series(5, close=7.0))

    async def test_broken_export_leaves_nothing(self, sink: CandleSink) -> None:
        with pytest.raises(RuntimeError, match="went away"):
            await sink.write(BTC_1H, _chunks(a_series(50), error=RuntimeError("the store went away")))
        assert await self.read_back(sink) is None

    async def test_broken_export_leaves_what_was_there(self, sink: CandleSink) -> None:
        await sink.write(BTC_1H, _chunks(a_series(5)))
        with pytest.raises(RuntimeError, match="went away"):
            await sink.write(BTC_1H, _chunks(a_series(50), error=RuntimeError("the store went away")))
        assert await self.read_back(sink) == list(a_series(5))


@pytest.mark.asyncio
class RejectSinkContract:
    """Fixture ``sink``, and ``read_back``: the rows that were kept, in order."""

    @pytest.fixture
    def sink(self) -> RejectSink:
        raise NotImplementedError("supply a sink of rejected rows that holds nothing yet")

    @abstractmethod
    async def read_back(self, sink: RejectSink) -> list[RejectedRow]: ...

    async def test_every_row_is_kept_as_it_was(self, sink: RejectSink) -> None:
        rows = [
            RejectedRow(line=3, reason="high 1.0 is below low 2.0", text="2026-03-02,1,1,2,1,0"),
            RejectedRow(line=4, reason="the row has 3 fields, the header has 6", text='a,"b ""c""",\u00e9;\t'),
            RejectedRow(line=70_000, reason="close is not a number, was empty", text=""),
        ]
        await sink.reject(rows[:2])
        await sink.reject(rows[2:])
        assert await self.read_back(sink) == rows


@pytest.mark.asyncio
class MarketDataFeedContract:
    """Fixtures: ``feed``, which ends by itself, and ``delivered``: what it yields, at least four neighbouring candles a series."""

    @pytest.fixture
    def feed(self) -> MarketDataFeed:
        raise NotImplementedError("supply a feed of the fixture `delivered`")

    @pytest.fixture
    def delivered(self) -> Mapping[SeriesKey, CandleSeries]:
        raise NotImplementedError("supply the series that the feed delivers")

    async def test_each_series_comes_whole_and_in_order(
        self, feed: MarketDataFeed, delivered: Mapping[SeriesKey, CandleSeries]
    ) -> None:
        received = [candle async for candle in feed.closed_candles()]
        for key, series in delivered.items():
            assert [each.candle for each in received if each.key == key] == list(series)
        assert len(received) == sum(len(series) for series in delivered.values())

    async def test_no_candle_is_received_before_its_close(
        self, feed: MarketDataFeed, delivered: Mapping[SeriesKey, CandleSeries]
    ) -> None:
        async for each in feed.closed_candles():
            assert each.received_at >= each.key.timeframe.close_of(each.candle.open_time)
            assert each.source

    async def test_feed_can_be_left(self, feed: MarketDataFeed, delivered: Mapping[SeriesKey, CandleSeries]) -> None:
        candles = feed.closed_candles()
        first: FeedCandle = await anext(candles)
        assert first.key in delivered
        await cast(AsyncGenerator[FeedCandle, None], candles).aclose()

    async def test_backfill_returns_what_lies_strictly_between(
        self, feed: MarketDataFeed, delivered: Mapping[SeriesKey, CandleSeries]
    ) -> None:
        for key, series in delivered.items():
            filled = await feed.backfill(key, after=series[0].open_time, before=series[3].open_time)
            assert list(filled) == [series[1], series[2]]
            assert list(await feed.backfill(key, after=series[0].open_time, before=series[1].open_time)) == []
