"""A candle goes through the live path once, in order, or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.trading.world import SIX, FilledFeed, Trading
from tradingcore.kernel.errors import InvalidInput, StaleVersion, Unavailable
from tradingcore.kernel.market import Calendar
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_candle, a_symbol, an_actor
from tradingcore.trading.errors import CandleConflict, SymbolNotFound
from tradingcore.trading.events import CandleClosed
from tradingcore.trading.use_cases.close_candle import CloseCandleResult


def closed(trading: Trading) -> list[tuple[int, int]]:
    """(hours after Monday midnight, missing before it) of the announced candles, in order."""
    events = [event for event in trading.events() if isinstance(event, CandleClosed)]
    return [((event.candle.open_time - MONDAY) // HOUR, event.missing_candles) for event in events]


async def test_candle_is_stored_and_announced() -> None:
    trading = await Trading().with_symbol()
    assert await trading.close(SIX[0]) == CloseCandleResult(taken=1, missing=0)
    (event,) = trading.events()
    assert isinstance(event, CandleClosed)
    assert (event.candle, event.source, event.occurred_at) == (SIX[0], "test", MONDAY + HOUR)
    assert list(await trading.store.between(BTC_1H)) == [SIX[0]]
    assert (await trading.series()).last_closed == MONDAY


async def test_duplicate_changes_nothing_even_with_other_numbers() -> None:
    trading = await Trading().with_symbol()
    await trading.close(SIX[0])
    assert (await trading.close(SIX[0])).taken == 0
    assert (await trading.close(a_candle(MONDAY, close=90.0))).taken == 0
    assert closed(trading) == [(0, 0)]
    assert list(await trading.store.between(BTC_1H)) == [SIX[0]]


async def test_late_candle_is_left_out() -> None:
    trading = await Trading(feed=FilledFeed()).with_symbol()
    for index in (0, 2, 1):
        await trading.close(SIX[index])
    assert closed(trading) == [(0, 0), (2, 1)]
    assert list(await trading.store.between(BTC_1H)) == [SIX[0], SIX[2]]


async def test_gap_is_filled_before_the_candle_after_it() -> None:
    trading = await Trading(feed=FilledFeed(SIX)).with_symbol()
    await trading.close(SIX[0])
    assert await trading.close(SIX[4]) == CloseCandleResult(taken=4, missing=0)
    assert closed(trading) == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert list(await trading.store.between(BTC_1H)) == list(SIX[:5])
    assert trading.feed.asked == [(MONDAY, MONDAY + 4 * HOUR)]


async def test_what_the_feed_lacks_is_missing_before_the_candle_that_follows_it() -> None:
    trading = await Trading(feed=FilledFeed([SIX[3]])).with_symbol()
    await trading.close(SIX[0])
    assert await trading.close(SIX[5]) == CloseCandleResult(taken=2, missing=3)
    assert closed(trading) == [(0, 0), (3, 2), (5, 1)]


async def test_feed_cannot_smuggle_candles_in_from_outside_the_gap() -> None:
    odd = a_candle(MONDAY + HOUR + timedelta(minutes=7))
    trading = await Trading(
        feed=FilledFeed([a_candle(MONDAY, close=50.0), SIX[1], SIX[1], odd, a_candle(MONDAY + 2 * HOUR)])
    ).with_symbol()
    await trading.close(SIX[0])
    await trading.close(SIX[2])
    assert list(await trading.store.between(BTC_1H)) == list(SIX[:3])


async def test_hours_at_which_the_market_rests_are_no_gap() -> None:
    friday = MONDAY + timedelta(days=4, hours=21)
    trading = await Trading().with_symbol(a_symbol(calendar=Calendar.FX_WEEK))
    await trading.close(a_candle(friday))
    assert await trading.close(a_candle(friday + timedelta(days=2, hours=1))) == CloseCandleResult(taken=1, missing=0)
    assert trading.feed.asked == []


async def test_conflicting_stored_candle_changes_nothing() -> None:
    trading = await Trading().with_symbol()
    await trading.close(SIX[0])
    async with trading.units(an_actor()) as unit:
        await unit.candles.append(BTC_1H, [SIX[1]])
    with pytest.raises(CandleConflict):
        await trading.close(a_candle(SIX[1].open_time, close=90.0))
    assert list(await trading.store.between(BTC_1H)) == list(SIX[:2])
    assert (await trading.series()).last_closed == MONDAY
    assert closed(trading) == [(0, 0)]


async def test_feed_that_contradicts_the_store_in_a_gap_does_not_stop_the_series() -> None:
    trading = await Trading(feed=FilledFeed([a_candle(SIX[1].open_time, close=90.0)])).with_symbol()
    await trading.close(SIX[0])
    async with trading.units(an_actor()) as unit:
        await unit.candles.append(BTC_1H, [SIX[1]])
    assert await trading.close(SIX[2]) == CloseCandleResult(taken=1, missing=1)
    assert list(await trading.store.between(BTC_1H)) == list(SIX[:3])
    assert closed(trading) == [(0, 0), (2, 1)]


async def test_unknown_symbol_is_an_error() -> None:
    trading = Trading()
    with pytest.raises(SymbolNotFound):
        await trading.close(SIX[0])
    assert trading.events() == []


async def test_candle_that_opens_at_no_candle_time_is_refused() -> None:
    trading = await Trading().with_symbol()
    with pytest.raises(InvalidInput, match="not the open of a 1h candle"):
        await trading.close(a_candle(MONDAY + timedelta(minutes=30)))
    assert trading.events() == []


async def test_feed_that_cannot_be_asked_leaves_the_gap_open() -> None:
    class LostFeed(FilledFeed):
        async def backfill(self, *args: object, **kwargs: object) -> list[object]:  # type: ignore[override] # it never answers
            raise Unavailable("the venue is away")

    trading = await Trading(feed=LostFeed()).with_symbol()
    await trading.close(SIX[0])
    with pytest.raises(Unavailable):
        await trading.close(SIX[2])
    assert closed(trading) == [(0, 0)]
    trading.feed = FilledFeed(SIX)
    assert (await trading.close(SIX[2])).taken == 2


async def test_of_two_workers_with_one_candle_one_takes_it() -> None:
    trading = await Trading().with_symbol()
    await trading.close(SIX[0])
    for candle in SIX[1:]:
        results = await asyncio.gather(*(trading.close(candle) for _ in range(8)), return_exceptions=True)
        taken = sum(result.taken for result in results if isinstance(result, CloseCandleResult))
        assert taken == 1
        assert {type(result) for result in results} <= {CloseCandleResult, StaleVersion}
        assert (await trading.close(candle)).taken == 0
    assert closed(trading) == [(hour, 0) for hour in range(6)]


@settings(deadline=None, max_examples=60)
@given(arrivals=st.lists(st.integers(0, 5), max_size=20), held=st.sets(st.integers(0, 5)))
async def test_whatever_arrives_each_candle_goes_through_at_most_once_and_in_order(arrivals: list[int], held: set[int]) -> None:
    trading = await Trading(feed=FilledFeed([SIX[index] for index in sorted(held)])).with_symbol()
    for index in arrivals:
        await trading.close(SIX[index])
    announced = closed(trading)
    hours = [hour for hour, _ in announced]
    assert hours == sorted(set(hours))
    assert [candle.open_time for candle in await trading.store.between(BTC_1H)] == [MONDAY + hour * HOUR for hour in hours]
    for (before, _), (hour, missing) in pairwise(announced):
        assert missing == hour - before - 1
        assert not any(index in held for index in range(before + 1, hour))
