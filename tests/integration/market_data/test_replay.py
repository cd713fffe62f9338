from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.market_data.replay import ReplayFeed
from tests.integration.market_data.files import a_store
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC, BTC_1H, MONDAY, a_series

ETH_1H = SeriesKey(SymbolCode("ETH/USDT"), Timeframe.H1)
BTC_15M = SeriesKey(BTC, Timeframe.M15)
HOUR = timedelta(hours=1)


async def test_series_are_merged_by_the_time_of_their_close() -> None:
    store = await a_store(a_series(10), a_series(10, key=ETH_1H), a_series(40, key=BTC_15M))
    feed = ReplayFeed(store, {BTC_1H: MONDAY, ETH_1H: MONDAY + 2 * HOUR, BTC_15M: MONDAY}, source="file")
    received = [candle async for candle in feed.closed_candles()]
    assert len(received) == 10 + 8 + 40
    closes = [candle.key.timeframe.close_of(candle.candle.open_time) for candle in received]
    assert closes == sorted(closes)
    # Together they come in the order in which they were given.
    at_four = [candle.key for candle in received if candle.received_at == MONDAY + 4 * HOUR]
    assert at_four == [BTC_1H, ETH_1H, BTC_15M]


async def test_candle_is_received_when_it_closes_and_carries_its_source() -> None:
    feed = ReplayFeed(await a_store(a_series(3)), {BTC_1H: MONDAY}, source="simulated")
    first = await anext(feed.closed_candles())
    assert (first.candle.open_time, first.received_at, first.source) == (MONDAY, MONDAY + HOUR, "simulated")


async def test_replay_ends_before_its_stop() -> None:
    feed = ReplayFeed(await a_store(a_series(50)), {BTC_1H: MONDAY + 5 * HOUR}, source="file", stop=MONDAY + 9 * HOUR)
    opens = [candle.candle.open_time async for candle in feed.closed_candles()]
    assert opens == [MONDAY + hour * HOUR for hour in range(5, 9)]


async def test_long_replay_reads_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.market_data.replay.CHUNK_CANDLES", 7)
    feed = ReplayFeed(await a_store(a_series(50)), {BTC_1H: MONDAY}, source="file")
    assert len([candle async for candle in feed.closed_candles()]) == 50


async def test_gap_is_filled_strictly_between_two_candles() -> None:
    feed = ReplayFeed(await a_store(a_series(50)), {}, source="file")
    filled = await feed.backfill(BTC_1H, after=MONDAY + 2 * HOUR, before=MONDAY + 5 * HOUR)
    assert [candle.open_time for candle in filled] == [MONDAY + 3 * HOUR, MONDAY + 4 * HOUR]
    assert await feed.backfill(BTC_1H, after=MONDAY + 2 * HOUR, before=MONDAY + 3 * HOUR) == []


async def test_pace_is_kept_against_the_start() -> None:
    feed = ReplayFeed(await a_store(a_series(9)), {BTC_1H: MONDAY}, source="file", candles_per_second=50)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async for _ in feed.closed_candles():
        await asyncio.sleep(0.005)
    # Eight steps of 20 ms; what the consumer takes is part of them.
    assert loop.time() - started >= 0.16


@pytest.mark.parametrize("speed", [0, -1.0])
async def test_speed_is_above_zero(speed: float) -> None:
    with pytest.raises(InvalidInput, match="speed must be above zero"):
        ReplayFeed(await a_store(), {BTC_1H: MONDAY}, source="file", candles_per_second=speed)
