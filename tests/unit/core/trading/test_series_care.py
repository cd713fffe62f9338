"""Noticing that candles stop, and starting a series over for a replay."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.memory.trading import MemoryTradingUnit, MemoryTradingUnits
from tests.unit.core.trading.world import SIX, Trading
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Unauthenticated
from tradingcore.kernel.market import Calendar, SeriesKey, Timeframe
from tradingcore.testing.builders import BTC, BTC_1H, HOUR, MONDAY, a_decision, a_live_series, a_signal, a_symbol, an_actor
from tradingcore.trading.events import CandleClosed, SeriesWentStale
from tradingcore.trading.model.live_series import Freshness
from tradingcore.trading.use_cases.rewind_series import RewindSeries, RewindSeriesCommand, RewindSeriesResult
from tradingcore.trading.use_cases.watch_freshness import WatchFreshness, WatchFreshnessCommand

DUE = MONDAY + 2 * HOUR + timedelta(minutes=30)
"""After the candle of midnight: the close of the next one, and half a candle of patience."""


async def watched(*keys: SeriesKey) -> Trading:
    trading = await Trading().with_symbol()
    async with trading.units(an_actor()) as unit:
        for key in keys or (BTC_1H,):
            await unit.live_series.save(a_live_series(key, last_closed=MONDAY))
    return trading


async def stale(trading: Trading, at: datetime, *keys: SeriesKey) -> list[SeriesKey]:
    trading.clock.set(at)
    watch = WatchFreshness(uow=trading.units, queries=trading.queries, clock=trading.clock)
    return list(await watch(an_actor(), WatchFreshnessCommand(keys=keys or (BTC_1H,))))


async def test_series_is_stale_when_its_next_candle_is_overdue_and_not_before() -> None:
    trading = await watched()
    assert await stale(trading, DUE) == []
    assert await stale(trading, DUE + timedelta(seconds=1)) == [BTC_1H]
    assert (await trading.series()).freshness is Freshness.STALE
    (event,) = trading.events()
    assert isinstance(event, SeriesWentStale)
    assert (event.last_closed, event.occurred_at) == (MONDAY, DUE + timedelta(seconds=1))


async def test_staleness_is_announced_once_until_a_candle_comes() -> None:
    trading = await watched()
    for _ in range(3):
        await stale(trading, DUE + HOUR)
    assert len(trading.events()) == 1
    await trading.close(SIX[1])
    assert (await trading.series()).freshness is Freshness.FRESH
    assert await stale(trading, DUE + 5 * HOUR) == [BTC_1H]
    assert [type(event) for event in trading.events()] == [SeriesWentStale, CandleClosed, SeriesWentStale]


class SlowUnit(MemoryTradingUnit):
    """Lets others run before it commits."""

    async def __aexit__(self, *error: Any) -> None:
        await asyncio.sleep(0)
        await super().__aexit__(*error)


class SlowUnits(MemoryTradingUnits):
    unit = SlowUnit


async def test_two_watchers_announce_it_once() -> None:
    trading = await watched()
    trading.units = SlowUnits(trading.database, trading.ids)
    found = await asyncio.gather(*(stale(trading, DUE + HOUR) for _ in range(8)))
    assert sum(map(len, found)) == len(trading.events()) == 1


async def test_only_series_with_a_live_feed_are_watched() -> None:
    other = SeriesKey(BTC, Timeframe.M5)
    trading = await watched(BTC_1H, other)
    assert await stale(trading, DUE + HOUR, other) == [other]
    assert (await trading.series()).freshness is Freshness.FRESH


async def test_market_at_rest_is_not_stale() -> None:
    friday = MONDAY + timedelta(days=4, hours=21)
    trading = await Trading().with_symbol(a_symbol(calendar=Calendar.FX_WEEK))
    async with trading.units(an_actor()) as unit:
        await unit.live_series.save(a_live_series(last_closed=friday))
    assert await stale(trading, friday + timedelta(days=1)) == []
    assert await stale(trading, friday + timedelta(days=2, hours=6)) == [BTC_1H]


async def test_rewinding_forgets_what_was_decided_and_keeps_the_candles() -> None:
    trading = await Trading().with_symbol()
    for candle in SIX[:4]:
        await trading.close(candle)
    async with trading.units(an_actor()) as unit:
        for hour in range(4):
            await unit.decisions.save(a_decision(candle=MONDAY + hour * HOUR))
            await unit.signals.save(a_signal(decision_candle=MONDAY + hour * HOUR))
    rewind = RewindSeries(uow=trading.units)
    ordered = RewindSeriesCommand(key=BTC_1H, source="replay", first=MONDAY + 2 * HOUR, last_closed=MONDAY + HOUR)
    assert await rewind(an_actor(), ordered) == RewindSeriesResult(decisions=2, signals=2)
    assert await rewind(an_actor(), ordered) == RewindSeriesResult(decisions=0, signals=0)
    assert ((await trading.series()).last_closed, (await trading.series()).source) == (MONDAY + HOUR, "replay")
    assert len(await trading.store.between(BTC_1H)) == 4
    assert (await trading.close(SIX[1])).taken == 0
    assert (await trading.close(SIX[2])).taken == 1


async def test_rewinding_is_for_the_platform_only() -> None:
    trading = await watched()
    with pytest.raises(Unauthenticated):
        await RewindSeries(uow=trading.units)(
            Actor.anonymous(TraceId("0" * 32)), RewindSeriesCommand(key=BTC_1H, source="x", first=MONDAY, last_closed=None)
        )
