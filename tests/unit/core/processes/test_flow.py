"""The main job: from a closed candle to what a subscriber hears, each step once whatever is repeated on the way."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoints.relay import LEASE
from tests.unit.core.processes.flow import ALL_SIGNALS, CANDLES, DAY, HISTORY, SIGNALS, Flow
from tests.unit.core.stand_ins import NOT_A_BUNDLE
from tests.unit.core.trading.world import FilledFeed
from tradingcore.kernel.authz import Actor, Cause, TraceId
from tradingcore.kernel.errors import AlreadyHandled
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, an_actor
from tradingcore.trading.ids import ForecastRef
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.signal import SignalStatus
from tradingcore.trading.use_cases.rewind_series import RewindSeriesCommand
from tradingcore.trading.use_cases.watch_freshness import WatchFreshnessCommand

LIVE = DAY[HISTORY:]


async def test_closed_candle_becomes_a_pushed_signal_under_one_trace() -> None:
    flow = await Flow().prepared()
    trace = TraceId("0123456789abcdef0123456789abcdef")
    await flow.close(LIVE[0], trace_id=trace)
    assert await flow.relayed() == 3
    (forecast,), (decision,), (signal,) = await flow.forecasts(), await flow.decisions(), await flow.signals()
    assert (decision.forecast_id, signal.forecast_id, decision.signal_id) == (
        ForecastRef(forecast.id),
        ForecastRef(forecast.id),
        signal.id,
    )
    assert decision.candle == forecast.candle == signal.decision_candle == LIVE[0].open_time
    (candle,), (own,), (general,) = await flow.heard(CANDLES), await flow.heard(SIGNALS), await flow.heard(ALL_SIGNALS)
    assert (own.message.type, own.message.data["id"], own.message.data["status"]) == ("signal.issued", str(signal.id), "active")
    assert general.message.data == own.message.data
    assert candle.message.data["close"] == LIVE[0].close
    steps = [forecast.trace_id, decision.trace_id, signal.trace_id]
    assert {*steps, *(entry.message.trace_id for entry in (candle, own, general))} == {trace}


async def test_every_candle_has_one_forecast_one_decision_and_its_signals_end() -> None:
    flow = await Flow().prepared()
    for candle in LIVE:
        await flow.close(candle)
        await flow.relayed()
    signals = await flow.signals()
    assert len(await flow.forecasts()) == len(await flow.decisions()) == len(LIVE)
    assert [signal.decision_candle for signal in signals] == [candle.open_time for candle in LIVE]
    assert {signal.status for signal in signals[:-4]} <= {SignalStatus.TAKE_PROFIT, SignalStatus.STOP_LOSS, SignalStatus.EXPIRED}
    assert all(signal.outcome_r is not None for signal in signals[:-4])
    types = Counter(entry.message.type for entry in await flow.heard(SIGNALS))
    ended = sum(signal.status is not SignalStatus.ACTIVE for signal in signals)
    assert types == {"signal.issued": len(LIVE), "signal.resolved": ended}


async def test_candles_that_come_faster_than_they_are_handled_keep_their_order() -> None:
    one_by_one, at_once = await Flow().prepared(), await Flow().prepared()
    for candle in LIVE:
        await one_by_one.close(candle)
        await one_by_one.relayed()
        await at_once.close(candle)
    await at_once.relayed()
    for flow in (one_by_one, at_once):
        assert [decision.candle for decision in await flow.decisions()] == [candle.open_time for candle in LIVE]
    assert [(signal.status, signal.outcome_r, signal.candles_seen) for signal in await one_by_one.signals()] == [
        (signal.status, signal.outcome_r, signal.candles_seen) for signal in await at_once.signals()
    ]


async def step(flow: Flow, chance: Random) -> bool:
    """Deliver what is due, each event to its handlers in any order, several times, and perhaps without crossing it off."""
    outbox = flow.container.outbox()
    claimed = await outbox.claim(limit=chance.randrange(1, 4), lease=LEASE)
    for event in claimed:
        recorded = event.recorded
        reactions = [one for one in flow.container.reactions() if one.reacts_to.type == recorded.event.type]
        for reaction in chance.sample(reactions * 2, chance.randrange(len(reactions) * 2) + 1) + reactions:
            actor = Actor.system(recorded.trace_id, name=reaction.name, cause=Cause(reaction.name, recorded.id))
            with suppress(AlreadyHandled):
                await reaction.react(actor, recorded.event, recorded)
        if chance.random() < 0.7:
            await outbox.settle([event])
    flow.clock.advance(LEASE)
    return bool(claimed)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
async def test_repeated_and_interrupted_deliveries_change_nothing(seed: int) -> None:
    chance = Random(seed)
    flow, calm = await Flow().prepared(), await Flow().prepared()
    for candle in LIVE[:6]:
        for _ in range(chance.randrange(1, 3)):
            await flow.close(candle)
        for _ in range(chance.randrange(3)):
            await step(flow, chance)
        await calm.close(candle)
        await calm.relayed()
    while await step(flow, chance):
        pass
    assert len(await flow.forecasts()) == len(await flow.decisions()) == 6
    assert [
        (signal.decision_candle, signal.status, signal.outcome_r, signal.take_profit, signal.feature_hash)
        for signal in await flow.signals()
    ] == [
        (signal.decision_candle, signal.status, signal.outcome_r, signal.take_profit, signal.feature_hash)
        for signal in await calm.signals()
    ]
    for topic in (CANDLES, SIGNALS, ALL_SIGNALS):
        heard = await flow.heard(topic)
        assert len(heard) == len(await calm.heard(topic))
        assert len({(entry.message.event_id, entry.message.topic) for entry in heard}) == len(heard)
        assert [entry.position.offset for entry in heard] == list(range(1, len(heard) + 1))


async def test_candle_without_a_model_gets_its_decision_too() -> None:
    flow = await Flow().prepared(has_model=False)
    await flow.close(LIVE[0])
    await flow.relayed()
    (decision,) = await flow.decisions()
    assert (decision.reason, decision.forecast_id) == (DecisionReason.MODEL_NOT_APPROVED, None)
    assert await flow.heard(SIGNALS) == []


async def test_broken_bundle_stops_signals_and_says_so() -> None:
    flow = await Flow().prepared(bundle=NOT_A_BUNDLE)
    await flow.close(LIVE[0])
    await flow.relayed()
    (decision,) = await flow.decisions()
    assert decision.reason is DecisionReason.MODEL_UNUSABLE
    assert "is not what was trained" in decision.detail


async def test_hole_in_the_candles_stops_the_signal_of_the_candle_after_it() -> None:
    flow = await Flow(feed=FilledFeed([LIVE[1]])).prepared()
    for index in (0, 3, 4):
        await flow.close(LIVE[index])
        await flow.relayed()
    reasons = [decision.reason for decision in await flow.decisions()]
    assert reasons == [
        DecisionReason.SIGNAL,
        DecisionReason.STALE_DATA,
        DecisionReason.MISSING_CANDLES,
        DecisionReason.SIGNAL,
    ]


async def test_stale_series_is_pushed_to_the_subscribers_of_its_signals() -> None:
    flow = await Flow().prepared()
    await flow.close(LIVE[0])
    await flow.relayed()
    flow.clock.set(LIVE[0].open_time + timedelta(hours=9))
    await flow.container.watch_freshness()(an_actor(), WatchFreshnessCommand(keys=[BTC_1H]))
    await flow.relayed()
    assert [entry.message.type for entry in await flow.heard(SIGNALS)] == ["signal.issued", "series.stale"]


async def test_signal_that_a_rewind_forgot_holds_nothing_up() -> None:
    flow = await Flow().prepared()
    await flow.close(LIVE[0])
    outbox, reactions = flow.container.outbox(), flow.container.reactions()
    while not await flow.signals():
        for event in await outbox.claim(limit=1, lease=LEASE):
            for reaction in reactions:
                if reaction.reacts_to.type == event.recorded.event.type:
                    await reaction.react(Actor.system(event.recorded.trace_id), event.recorded.event, event.recorded)
            await outbox.settle([event])
    rewind = RewindSeriesCommand(key=BTC_1H, source="replay", first=LIVE[0].open_time, last_closed=MONDAY + 3 * HOUR)
    await flow.container.rewind_series()(an_actor(), rewind)
    await flow.relayed()
    status = await outbox.status()
    assert (status.open, status.parked) == (0, 0)
