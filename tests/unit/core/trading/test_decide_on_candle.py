"""Each closed candle moves open signals on and gets one decision, however often its event is delivered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.core.trading.outlooks import a_horizon_outlook, an_outlook
from tests.unit.core.trading.world import SIX, Trading
from tradingcore.kernel.errors import AlreadyHandled, StaleVersion
from tradingcore.kernel.market import Candle
from tradingcore.kernel.page import PageRequest
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_candle, a_cause, a_signal, a_symbol, an_actor
from tradingcore.trading.errors import SymbolNotFound
from tradingcore.trading.events import SignalIssued, SignalResolved
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.outlook import Outlook
from tradingcore.trading.model.signal import EdgeStatus, Signal, SignalStatus
from tradingcore.trading.policies import Verdict
from tradingcore.trading.queries import DecisionFilter, SignalFilter
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandleCommand, DecideOnCandleResult

OBSTACLE = Verdict(reason=DecisionReason.NOT_ENOUGH_HISTORY, detail="12 candles, 500 are needed")


def command(candle: Candle | None = None, *, hopeful: bool = True, **overrides: Any) -> DecideOnCandleCommand:
    """For ``candle``, with an outlook that is worth a signal, or with an obstacle."""
    taken = candle or a_candle(close=100.0)
    fields: dict[str, Any] = {
        "key": BTC_1H,
        "candle": taken,
        "received_at": taken.open_time + HOUR,
        "source": "test",
        "missing_candles": 0,
        "outlook": outlook_for(taken) if hopeful else None,
        "obstacle": None if hopeful else OBSTACLE,
    }
    return DecideOnCandleCommand(**(fields | overrides))


def outlook_for(candle: Candle) -> Outlook:
    return an_outlook(candle=candle.open_time, close=candle.close, data_last=candle.open_time)


async def signals(trading: Trading) -> list[Signal]:
    return list((await trading.queries.list_signals(SignalFilter(), PageRequest())).items)


async def test_edge_becomes_a_decision_with_a_signal() -> None:
    trading = await Trading().with_symbol()
    actor = an_actor()
    ordered = command()
    result = await trading.decide(actor, ordered)
    (signal,) = await signals(trading)
    assert ordered.outlook is not None
    assert (result.signal, result.decision.signal_id, result.decision.reason) == (signal, signal.id, DecisionReason.SIGNAL)
    assert (signal.trace_id, result.decision.trace_id) == (actor.trace_id, actor.trace_id)
    assert (signal.forecast_id, result.decision.forecast_id) == (ordered.outlook.forecast_id, ordered.outlook.forecast_id)
    assert (signal.edge_status, signal.status, signal.is_simulated) == (EdgeStatus.UNVERIFIED, SignalStatus.ACTIVE, False)
    assert (signal.issued_at, signal.expires_at) == (MONDAY + HOUR, MONDAY + 5 * HOUR)
    assert signal.terms == a_symbol().terms
    (event,) = trading.events()
    assert event == SignalIssued(occurred_at=MONDAY + HOUR, symbol=signal.symbol, timeframe=signal.timeframe, signal_id=signal.id)


async def test_predicted_levels_bracket_their_medians_on_the_tick() -> None:
    trading = await Trading().with_symbol()
    gap = a_horizon_outlook(delta_high=(-0.01, 0.03, 0.05), delta_low=(-0.02, 0.01, 0.04))
    await trading.decide(an_actor(), command(outlook=an_outlook(gap)))
    (signal,) = await signals(trading)
    assert 100 == signal.predicted_high_low < signal.predicted_high < signal.predicted_high_high
    assert signal.predicted_low_low < signal.predicted_low < signal.predicted_low_high == 100
    assert all(price % a_symbol().price_tick == 0 for price in (signal.predicted_high, signal.predicted_low_low))


async def test_simulated_candles_give_signals_that_say_so() -> None:
    trading = await Trading().with_symbol()
    await trading.decide(an_actor(), command(source="simulated"))
    assert (await signals(trading))[0].is_simulated


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"received_at": MONDAY + HOUR + timedelta(minutes=31)}, DecisionReason.STALE_DATA),
        ({"missing_candles": 2}, DecisionReason.MISSING_CANDLES),
        ({"outlook": None, "obstacle": OBSTACLE}, DecisionReason.NOT_ENOUGH_HISTORY),
        ({"outlook": replace(an_outlook(), is_out_of_distribution=True)}, DecisionReason.OUT_OF_DISTRIBUTION),
    ],
)
async def test_candle_without_a_signal_says_why(overrides: dict[str, Any], reason: DecisionReason) -> None:
    trading = await Trading().with_symbol()
    result = await trading.decide(an_actor(), command(**overrides))
    assert (result.decision.reason, result.signal, await signals(trading)) == (reason, None, [])
    assert result.decision.detail
    assert result.decision == await trading.queries.find_decision(BTC_1H, MONDAY)


async def test_candle_within_patience_is_fresh_and_one_from_the_future_waits_for_no_clock() -> None:
    trading = await Trading().with_symbol()
    await trading.decide(an_actor(), command(received_at=MONDAY + HOUR + timedelta(minutes=30)))
    early = await trading.decide(an_actor(), command(SIX[1], received_at=MONDAY))
    assert (early.decision.reason, early.decision.decided_at) == (DecisionReason.SIGNAL, MONDAY + 2 * HOUR)


async def test_same_candle_again_gives_the_same_decision_and_no_second_signal() -> None:
    trading = await Trading().with_symbol()
    first = await trading.decide(an_actor(), command())
    for again in (command(), command(hopeful=False), command(missing_candles=1)):
        assert (await trading.decide(an_actor(), again)).decision == first.decision
    assert len(await signals(trading)) == len(trading.events()) == 1


async def test_event_that_was_handled_is_not_handled_again() -> None:
    trading = await Trading().with_symbol()
    actor = an_actor(cause=a_cause())
    await trading.decide(actor, command())
    with pytest.raises(AlreadyHandled):
        await trading.decide(actor, command(SIX[1]))
    assert len(await signals(trading)) == 1


async def test_of_many_at_once_one_decides() -> None:
    trading = await Trading().with_symbol()
    results = await asyncio.gather(*(trading.decide(an_actor(), command()) for _ in range(16)), return_exceptions=True)
    assert {type(result) for result in results} <= {DecideOnCandleResult, StaleVersion}
    assert sum(isinstance(result, DecideOnCandleResult) for result in results) >= 1
    decisions = (await trading.queries.list_decisions(DecisionFilter(), PageRequest())).items
    assert len(decisions) == len(await signals(trading)) == len(trading.events()) == 1


async def test_signal_is_not_resolved_by_the_candle_it_was_decided_on() -> None:
    trading = await Trading().with_symbol()
    wide = a_candle(close=100.0, high=200.0, low=50.0)
    await trading.decide(an_actor(), command(wide))
    assert [signal.status for signal in await signals(trading)] == [SignalStatus.ACTIVE]


async def test_later_candles_resolve_open_signals_also_without_a_forecast() -> None:
    trading = await Trading().with_symbol()
    await trading.decide(an_actor(), command())
    await trading.decide(an_actor(), command(a_candle(MONDAY + HOUR, close=100.5, low=99.5), hopeful=False))
    await trading.decide(an_actor(), command(a_candle(MONDAY + 2 * HOUR, close=105.0), hopeful=False))
    (signal,) = await signals(trading)
    assert (signal.status, signal.fill_price, signal.candles_seen) == (SignalStatus.TAKE_PROFIT, 100.0, 2)
    assert signal.closed_at == MONDAY + 3 * HOUR
    assert [type(event) for event in trading.events()] == [SignalIssued, SignalResolved]


async def test_candle_that_comes_back_from_the_dead_letters_does_not_count_twice() -> None:
    trading = await Trading().with_symbol()
    await trading.decide(an_actor(), command())
    await trading.decide(an_actor(), command(a_candle(MONDAY + 2 * HOUR, close=100.5, low=99.5), hopeful=False))
    crash = a_candle(MONDAY + HOUR, close=60.0)
    late = await trading.decide(an_actor(), command(crash, hopeful=False))
    (signal,) = await signals(trading)
    assert late.decision.candle == MONDAY + HOUR
    assert (signal.status, signal.fill_price, signal.candles_seen) == (SignalStatus.ACTIVE, 100.0, 1)


async def test_signals_of_other_series_are_left_alone() -> None:
    trading = await Trading().with_symbol()
    async with trading.units(an_actor()) as unit:
        other = await unit.signals.save(a_signal(symbol="ETH/USDT"))
    await trading.decide(an_actor(), command(a_candle(MONDAY + HOUR, close=200.0), hopeful=False))
    assert await trading.queries.get_signal(other.id) == other


async def test_unknown_symbol_leaves_nothing_behind() -> None:
    trading = Trading()
    with pytest.raises(SymbolNotFound):
        await trading.decide(an_actor(), command())
    assert await trading.queries.find_decision(BTC_1H, MONDAY) is None
