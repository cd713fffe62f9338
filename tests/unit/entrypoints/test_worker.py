"""The worker keeps house around the relay, and feeds wait for a storage that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from entrypoints import worker
from entrypoints.replay import rewind_series
from entrypoints.worker import Worker, close_candle, feed_candles
from tests.asvs import asvs
from tests.unit.core.processes.flow import DAY, HISTORY, Flow
from tests.unit.core.stand_ins import NOT_A_BUNDLE
from tests.unit.core.trading.world import FilledFeed
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import StaleVersion, Unavailable
from tradingcore.testing.builders import BTC_1H, HOUR, a_candle, an_actor
from tradingcore.trading.model.live_series import Freshness
from tradingcore.trading.ports import FeedCandle
from tradingcore.trading.use_cases.close_candle import CloseCandleCommand, CloseCandleResult

LIVE = DAY[HISTORY:]


def arrivals(*indexes: int) -> list[FeedCandle]:
    return [
        FeedCandle(key=BTC_1H, candle=LIVE[index], received_at=LIVE[index].open_time + HOUR, source="test") for index in indexes
    ]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRY_AFTER_SECONDS", 0.0)


async def test_worker_relays_what_a_feed_brings_and_stops_when_told() -> None:
    flow = await Flow().prepared()
    flow.feed.arrivals = arrivals(0, 1, 1, 0, 2)
    at_work = Worker(flow.container)
    running = asyncio.create_task(at_work.run())
    assert await feed_candles(flow.container, flow.feed) == 3
    async with asyncio.timeout(5):
        while len(await flow.decisions()) < 3:  # noqa: ASYNC110 - nobody tells when the last decision is made
            await asyncio.sleep(0)
    at_work.stop()
    await running
    assert len(await flow.forecasts()) == 3


@pytest.mark.parametrize(("bundle", "loads"), [(b"a bundle", 1), (NOT_A_BUNDLE, 0)])
async def test_prepared_worker_has_the_models_of_followed_series_loaded(bundle: bytes, loads: int) -> None:
    flow = await Flow().prepared(bundle=bundle)
    flow.container.features().warm_up = lambda: None
    await flow.close(LIVE[0])
    await Worker(flow.container).prepare()
    loaded = flow.container.loader().loaded
    assert len(loaded) == loads
    await flow.relayed()
    assert (len(loaded), len(await flow.decisions())) == (loads, 1)


@asvs("16.5.4")
async def test_schedule_outlives_a_run_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await Flow().prepared()
    runs = 0

    async def failing() -> None:
        nonlocal runs
        runs += 1
        raise [Unavailable("away"), KeyError("a bug")][runs % 2]

    schedule = asyncio.create_task(Worker(flow.container)._every(timedelta(0), failing))
    async with asyncio.timeout(5):
        while runs < 3:  # noqa: ASYNC110 - the schedule tells nobody
            await asyncio.sleep(0)
    schedule.cancel()


@asvs("14.2.7")
async def test_worker_watches_trims_and_forgets() -> None:
    flow = await Flow().prepared()
    await flow.close(LIVE[0])
    await flow.relayed()
    at_work = Worker(flow.container, watched=[BTC_1H])
    flow.clock.set(LIVE[0].open_time + timedelta(days=40))
    await at_work._watch()
    assert flow.database.live_series.rows[BTC_1H].freshness is Freshness.STALE
    assert flow.database.causes
    await at_work._trim()
    assert not flow.database.causes


async def test_candle_waits_for_a_storage_that_is_away_and_is_taken_once() -> None:
    flow = await Flow().prepared()
    troubles = [Unavailable("away"), StaleVersion("somebody was faster"), Unavailable("away")]
    real = flow.container.close_candle()

    class Troubled:
        async def __call__(self, actor: Actor, command: CloseCandleCommand) -> CloseCandleResult:
            if troubles:
                raise troubles.pop()
            result: CloseCandleResult = await real(actor, command)
            return result

    flow.container.close_candle.override(Troubled())
    assert await close_candle(flow.container, flow.feed, arrivals(0)[0]) == 1
    assert troubles == []


async def test_candle_that_conflicts_is_left_out_and_the_feed_goes_on() -> None:
    flow = await Flow(feed=FilledFeed()).prepared()
    async with flow.container.trading_uow()(an_actor()) as unit:
        await unit.candles.append(BTC_1H, [LIVE[1]])
    other = a_candle(LIVE[1].open_time, close=50.0)
    first, _, third = arrivals(0, 1, 2)
    wrong = FeedCandle(key=BTC_1H, candle=other, received_at=first.received_at, source="test")

    class Mixed(FilledFeed):
        async def closed_candles(self) -> AsyncIterator[FeedCandle]:
            for arrival in (first, wrong, third):
                yield arrival

    assert await feed_candles(flow.container, Mixed()) == 2


async def test_replay_from_the_same_place_decides_the_same_again() -> None:
    flow = await Flow().prepared()

    async def played() -> list[tuple[object, ...]]:
        for candle in LIVE[:5]:
            await flow.close(candle)
            await flow.relayed()
        return [(one.decision_candle, one.status, one.outcome_r, one.feature_hash) for one in await flow.signals()]

    first = await played()
    await rewind_series(flow.container, an_actor(), BTC_1H, first=LIVE[0].open_time)
    assert (await flow.forecasts(), await flow.decisions(), await flow.signals()) == ([], [], [])
    assert await played() == first
    assert len(await flow.forecasts()) == len(await flow.decisions()) == 5


@pytest.mark.parametrize("step", ["forget_forecasts", "rewind_series"])
async def test_rewind_that_breaks_off_leaves_no_candle_without_a_decision(step: str) -> None:
    flow = await Flow().prepared()
    for candle in LIVE[:3]:
        await flow.close(candle)
        await flow.relayed()
    real = getattr(flow.container, step)

    class Broken:
        async def __call__(self, *_: object) -> None:
            raise Unavailable("away")

    real.override(Broken())
    with pytest.raises(Unavailable):
        await rewind_series(flow.container, an_actor(), BTC_1H, first=LIVE[0].open_time)
    real.reset_override()
    for candle in LIVE[:4]:
        await flow.close(candle)
        await flow.relayed()
    assert [decision.candle for decision in await flow.decisions()] == [candle.open_time for candle in LIVE[:4]]
