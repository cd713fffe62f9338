"""A stored signal comes out of its candles, its model and its terms again, bit for bit, or the difference has a name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.memory.blobs import MemoryBlobStore
from tests.unit.core.processes.flow import DAY, HISTORY, Flow
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Unauthenticated, Unavailable
from tradingcore.kernel.market import to_milliseconds
from tradingcore.testing.builders import BTC, BTC_1H, an_actor, an_id
from tradingcore.trading.errors import SignalNotFound
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Cost, CostUnit
from tradingcore.trading.use_cases.explain_signal import ExplainSignalCommand, SignalExplanation
from tradingcore.trading.use_cases.set_symbol import SetSymbolCommand, SymbolSettings

CANDLE = DAY[HISTORY]


async def issued() -> tuple[Flow, Signal]:
    flow = await Flow().prepared()
    await flow.close(CANDLE)
    await flow.relayed()
    (signal,) = await flow.signals()
    return flow, signal


async def explained(flow: Flow, signal: Signal) -> SignalExplanation:
    explanation: SignalExplanation = await flow.container.explain_signal()(
        an_actor(), ExplainSignalCommand(signal_id=SignalId(signal.id))
    )
    return explanation


async def test_signal_is_reproduced_with_its_inputs_and_its_lineage() -> None:
    flow, signal = await issued()
    explanation = await explained(flow, signal)
    assert (explanation.is_reproduced, explanation.mismatches, explanation.signal) == (True, (), signal)
    assert explanation.features["sum_of_closes"] == pytest.approx(sum(candle.close for candle in DAY[HISTORY - 2 : HISTORY + 1]))
    assert explanation.lineage["trace_id"] == signal.trace_id
    assert explanation.lineage["forecast_id"] == str(signal.forecast_id)
    assert explanation.lineage["model_version"] == signal.model_version


async def test_what_happens_to_a_signal_later_does_not_matter() -> None:
    flow, _ = await issued()
    for candle in DAY[HISTORY + 1 : HISTORY + 7]:
        await flow.close(candle)
        await flow.relayed()
    later = (await flow.signals())[0]
    assert later.candles_seen > 0
    assert (await explained(flow, later)).mismatches == ()


async def test_terms_of_the_symbol_may_change_afterwards() -> None:
    flow, signal = await issued()
    changes = SymbolSettings(
        price_tick=Decimal("0.5"),
        fee=Cost(Decimal(900), CostUnit.BASIS_POINTS),
        minimum_risk_reward=Decimal(50),
        minimum_expected_value_r=Decimal(50),
    )
    await flow.container.set_symbol()(an_actor(), SetSymbolCommand(code=BTC, settings=changes))
    assert (await explained(flow, signal)).mismatches == ()


async def test_other_terms_would_show() -> None:
    flow, signal = await issued()
    dearer = replace(signal.terms.costs, fee=Cost(Decimal(5)))
    forged = replace(signal, terms=replace(signal.terms, costs=dearer))
    flow.database.signals.put(signal.id, forged)
    named = {mismatch.partition(":")[0] for mismatch in (await explained(flow, forged)).mismatches}
    assert named == {"expected_value_r", "cost"}


async def test_one_changed_candle_is_named() -> None:
    flow, signal = await issued()
    candle = DAY[HISTORY - 1]
    columns = flow.database.candles[BTC_1H]
    numbers = (candle.open, candle.high, candle.low, candle.close + 0.25, candle.volume)
    flow.database.candles[BTC_1H] = columns.rebuilt({to_milliseconds(candle.open_time): numbers})
    explanation = await explained(flow, signal)
    assert not explanation.is_reproduced
    assert any(mismatch.startswith("forecast.feature_hash: stored ") for mismatch in explanation.mismatches)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("take_profit", Decimal("999.00")),
        ("probability", 0.6000000000000001),
        ("horizon", 5),
        ("feature_hash", "0" * 64),
        ("predicted_high", Decimal("1.00")),
    ],
)
async def test_every_changed_number_is_named(name: str, value: object) -> None:
    flow, signal = await issued()
    forged = replace(signal, **{name: value})  # type: ignore[arg-type] # the name is a parameter
    flow.database.signals.put(signal.id, forged)
    assert any(mismatch.startswith(f"{name}: stored {value}") for mismatch in (await explained(flow, forged)).mismatches)


async def test_bundle_that_is_gone_makes_it_unavailable() -> None:
    flow, signal = await issued()
    flow.container.blobs.override(MemoryBlobStore())
    flow.container.models.reset()
    with pytest.raises(Unavailable):
        await explained(flow, signal)


async def test_unknown_signal_is_not_found_and_nobody_may_not_ask() -> None:
    flow, _ = await issued()
    with pytest.raises(SignalNotFound):
        await flow.container.explain_signal()(an_actor(), ExplainSignalCommand(signal_id=SignalId(an_id())))
    with pytest.raises(Unauthenticated):
        await flow.container.explain_signal()(Actor.anonymous(TraceId("0" * 32)), ExplainSignalCommand(signal_id=SignalId(an_id())))
