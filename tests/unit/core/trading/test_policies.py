"""From an outlook to an offer, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import exp, log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.trading.outlooks import a_barrier, a_horizon_outlook, an_outlook
from tradingcore.kernel.market import Timeframe
from tradingcore.testing.builders import a_symbol
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.outlook import BarrierOutlook, Outlook, Side
from tradingcore.trading.model.symbol import Cost, CostUnit, SignalRules, TradingCosts
from tradingcore.trading.policies import Offer, judge, patience_for

FREE = TradingCosts(half_spread=Cost(Decimal(0)), fee=Cost(Decimal(0)), slippage=Cost(Decimal(0)))


def costs(amount: str, unit: CostUnit) -> TradingCosts:
    return TradingCosts(half_spread=Cost(Decimal(0)), fee=Cost(Decimal(0)), slippage=Cost(Decimal(amount), unit))


def offer_of(outlook: Outlook, **symbol: Any) -> Offer:
    offer = judge(outlook, a_symbol(**symbol)).offer
    assert offer is not None
    return offer


def test_offer_is_worth_its_calibrated_chances_after_costs() -> None:
    offer = offer_of(an_outlook())
    gain, loss = log(102.02 / 100.0), log(100.0 / 99.00)
    assert (offer.entry, offer.take_profit, offer.stop_loss) == (Decimal("100.00"), Decimal("102.02"), Decimal("99.00"))
    # Half spread 0.5 and fee 4 bp twice, slippage 1 bp.
    assert offer.cost == pytest.approx(0.0010)
    assert offer.expected_value_r == pytest.approx((0.5 * gain - 0.3 * loss - 0.0010) / loss)
    assert offer.risk_reward == Decimal("2.02")


def test_what_positions_bring_when_time_runs_out_counts() -> None:
    worse = a_horizon_outlook(a_barrier(mean_time_return=-0.01))
    difference = offer_of(an_outlook()).expected_value_r - offer_of(an_outlook(worse)).expected_value_r
    assert difference == pytest.approx(0.2 * 0.01 / log(100 / 99))


def test_costs_in_price_and_in_basis_points_are_the_same_money() -> None:
    in_points = offer_of(an_outlook(close=2_000.0), costs=costs("5", CostUnit.BASIS_POINTS))
    in_price = offer_of(an_outlook(close=2_000.0), costs=costs("1", CostUnit.PRICE))
    assert in_points.cost == in_price.cost == 0.0005
    assert in_points.expected_value_r == in_price.expected_value_r


def test_best_of_all_sides_and_horizons_is_taken() -> None:
    better = a_barrier(Side.SHORT, p_take_profit=0.6, p_stop_loss=0.2)
    verdict = judge(an_outlook(a_horizon_outlook(), a_horizon_outlook(a_barrier(), better, horizon=24)), a_symbol())
    assert verdict.offer is not None
    assert (verdict.offer.side, verdict.offer.horizon.horizon, verdict.reason) == (Side.SHORT, 24, DecisionReason.SIGNAL)
    assert verdict.offer.take_profit < verdict.offer.entry < verdict.offer.stop_loss
    assert verdict.expected_value_r == verdict.offer.expected_value_r


def test_better_value_below_the_floor_of_reward_to_risk_is_passed_over() -> None:
    greedy = a_barrier(k_take_profit=0.5, p_take_profit=0.99, p_stop_loss=0.0, p_time=0.01)
    offer = offer_of(an_outlook(a_horizon_outlook(greedy, a_barrier())))
    assert offer.barrier.k_take_profit == 2.0


def test_target_is_capped_at_the_predicted_median_of_its_side() -> None:
    capped = a_horizon_outlook(delta_high=(0.0, 0.015, 0.05))
    assert offer_of(an_outlook(capped)).take_profit == Decimal("101.51")
    short = a_horizon_outlook(a_barrier(Side.SHORT), delta_low=(0.0, 0.015, 0.05))
    assert offer_of(an_outlook(short)).take_profit == Decimal("98.52")


def test_capped_target_keeps_the_probability_of_its_barrier_and_so_never_flatters() -> None:
    whole, capped = a_horizon_outlook(), a_horizon_outlook(delta_high=(0.0, 0.015, 0.05))
    far, near = offer_of(an_outlook(whole)), offer_of(an_outlook(capped))
    assert near.take_profit < far.take_profit
    assert near.barrier.p_take_profit == far.barrier.p_take_profit
    assert near.expected_value_r < far.expected_value_r


def test_stop_is_at_least_one_and_a_half_spreads_away() -> None:
    wide = TradingCosts(half_spread=Cost(Decimal("0.6"), CostUnit.PRICE), fee=Cost(Decimal(0)), slippage=Cost(Decimal(0)))
    certain = a_horizon_outlook(a_barrier(p_take_profit=1.0, p_stop_loss=0.0, p_time=0.0))
    assert offer_of(an_outlook(certain), costs=wide).stop_loss == Decimal("98.21")  # 100 exp(-1.5 x 1.2 %)


def test_floor_of_expected_value_must_be_exceeded() -> None:
    at_the_floor = Decimal(str(offer_of(an_outlook()).expected_value_r))
    verdict = judge(an_outlook(), a_symbol(rules=SignalRules(minimum_expected_value_r=at_the_floor)))
    assert (verdict.offer, verdict.reason) == (None, DecisionReason.NO_EDGE_AFTER_COSTS)
    assert judge(an_outlook(), a_symbol(rules=SignalRules(minimum_expected_value_r=at_the_floor - Decimal("1e-9")))).offer


def test_costs_alone_can_take_the_edge_away() -> None:
    assert judge(an_outlook(), a_symbol(costs=FREE)).reason is DecisionReason.SIGNAL
    verdict = judge(an_outlook(), a_symbol(costs=costs("100", CostUnit.BASIS_POINTS)))
    assert verdict.reason is DecisionReason.NO_EDGE_AFTER_COSTS
    assert verdict.expected_value_r is not None
    assert verdict.expected_value_r < 0
    assert f"{verdict.expected_value_r:+.3f} R" in verdict.detail


def test_capped_target_below_the_minimum_reward_to_risk_is_no_signal() -> None:
    verdict = judge(an_outlook(a_horizon_outlook(delta_high=(0.0, 0.005, 0.05))), a_symbol())
    assert (verdict.offer, verdict.reason) == (None, DecisionReason.RISK_REWARD_TOO_LOW)
    assert "0.50 is below 1.0" in verdict.detail


def test_range_below_the_tick_is_no_signal() -> None:
    verdict = judge(an_outlook(), a_symbol(price_tick=Decimal(5)))
    assert (verdict.offer, verdict.reason, verdict.expected_value_r) == (None, DecisionReason.STOP_TOO_CLOSE, None)
    assert judge(an_outlook(a_horizon_outlook(delta_high=(-0.02, -0.01, 0.0))), a_symbol()).reason is DecisionReason.STOP_TOO_CLOSE
    assert judge(an_outlook(close=0.004), a_symbol()).reason is DecisionReason.STOP_TOO_CLOSE


def test_features_that_no_model_has_seen_give_no_signal() -> None:
    assert judge(an_outlook(is_out_of_distribution=True), a_symbol()).reason is DecisionReason.OUT_OF_DISTRIBUTION


@pytest.mark.parametrize(("timeframe", "seconds"), [(Timeframe.M1, 90), (Timeframe.M5, 150), (Timeframe.H1, 1_800)])
def test_patience_is_half_a_candle_and_at_least_ninety_seconds(timeframe: Timeframe, seconds: int) -> None:
    assert patience_for(timeframe).total_seconds() == seconds


@st.composite
def outlooks(draw: st.DrawFn) -> tuple[Outlook, Decimal]:
    """Prices from a hundredth to a hundred thousand on ticks from a billionth to ten, closes on the tick and off it."""

    def share() -> float:
        return draw(st.floats(0, 1))

    def barrier() -> BarrierOutlook:
        side, reward, risk = draw(st.sampled_from(Side)), draw(st.floats(0.1, 4)), draw(st.floats(0.1, 2))
        return a_barrier(side, k_take_profit=reward, k_stop_loss=risk, p_take_profit=share(), p_stop_loss=share(), p_time=share())

    tick = draw(st.sampled_from([Decimal("1e-9"), Decimal("0.00001"), Decimal("0.01"), Decimal("0.25"), Decimal(10)]))
    close = draw(st.floats(0.01, 100_000) | st.decimals("0.01", 100_000, places=2).map(float))
    median = draw(st.floats(-0.01, 0.2))
    horizon = a_horizon_outlook(
        *(barrier() for _ in range(draw(st.integers(1, 4)))),
        unit=draw(st.floats(0, 0.1)),
        delta_high=(median - 0.01, median, median + 0.01),
        delta_low=(median - 0.01, median, median + 0.01),
    )
    return an_outlook(horizon, close=close), tick


@settings(deadline=None)  # a busy machine is no fault of the rule
@given(case=outlooks(), is_free=st.booleans())
def test_rounding_never_flatters(case: tuple[Outlook, Decimal], is_free: bool) -> None:
    outlook, tick = case
    rules = SignalRules(minimum_risk_reward=Decimal(0), minimum_expected_value_r=Decimal(-1_000))
    symbol = a_symbol(price_tick=tick, rules=rules)
    verdict = judge(outlook, replace(symbol, costs=FREE) if is_free else symbol)
    if (offer := verdict.offer) is None:
        assert verdict.reason is DecisionReason.STOP_TOO_CLOSE
        return
    direction = 1 if offer.side is Side.LONG else -1
    unit, close = offer.horizon.unit, outlook.close
    median = (offer.horizon.delta_high if direction > 0 else offer.horizon.delta_low)[1]
    exact_target = close * exp(direction * min(offer.barrier.k_take_profit * unit, median))
    exact_stop = close * exp(-direction * offer.barrier.k_stop_loss * unit)
    entry, target, stop = float(offer.entry), float(offer.take_profit), float(offer.stop_loss)
    noise = 1e-12 * close
    assert min(offer.stop_loss, offer.take_profit) > 0
    assert offer.stop_loss < offer.entry < offer.take_profit if direction > 0 else offer.take_profit < offer.entry < offer.stop_loss
    assert direction * (target - entry) <= direction * (exact_target - close) + noise
    assert direction * (entry - stop) >= direction * (close - exact_stop) - noise
    for price in (offer.entry, offer.take_profit, offer.stop_loss):
        assert price % tick == 0
    if Decimal(str(close)) % tick == 0:
        assert offer.entry == Decimal(str(close))
