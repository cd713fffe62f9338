"""Training labels and live signals end by one rule (ml.md S6): the compiled one and the one of the domain agree."""

from __future__ import annotations

from array import array
from dataclasses import replace
from decimal import Decimal
from math import exp, log
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.numba.kernels.barriers import STOP_LOSS, TAKE_PROFIT, TIME_OUT
from adapters.numba.targets import NumbaTargetCalculator
from tradingcore.kernel.market import Candle, CandleSeries
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_signal
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import SignalStatus
from tradingcore.trading.policies import resolved

LABELS: Final = {SignalStatus.TAKE_PROFIT: TAKE_PROFIT, SignalStatus.STOP_LOSS: STOP_LOSS, SignalStatus.EXPIRED: TIME_OUT}
CLOSE: Final = 100.0
UNIT: Final = 0.01


def level(direction: int, multiple: float) -> float:
    return CLOSE * exp(direction * multiple * UNIT)


@st.composite
def markets(draw: st.DrawFn) -> tuple[Side, float, float, int, CandleSeries]:
    """A side, its multiples, a horizon, and candles that close at 100, then gap over the levels and right onto them."""
    side = draw(st.sampled_from(Side))
    direction = 1 if side is Side.LONG else -1
    reward, risk = draw(st.sampled_from([0.75, 1.0, 1.5])), draw(st.sampled_from([0.75, 1.0]))
    price = st.floats(96.5, 103.5) | st.sampled_from([level(direction, reward), level(-direction, risk), CLOSE])
    horizon = draw(st.integers(1, 5))
    found = [Candle(MONDAY, CLOSE, CLOSE, CLOSE, CLOSE, 1.0)]
    for number in range(1, horizon + 1):
        four = [draw(price) for _ in range(4)]
        found.append(Candle(MONDAY + number * HOUR, four[0], max(four), min(four), four[3], 1.0))
    return side, reward, risk, horizon, CandleSeries.of(BTC_1H, found)


@settings(deadline=None)  # the first call compiles
@given(market=markets())
def test_label_exit_and_return_of_training_are_those_of_a_live_signal(
    market: tuple[Side, float, float, int, CandleSeries],
) -> None:
    side, reward, risk, horizon, candles = market
    direction = 1 if side is Side.LONG else -1
    labels = NumbaTargetCalculator().barriers(
        candles,
        unit=memoryview(array("d", [UNIT] * len(candles))),
        horizon=horizon,
        side=direction,
        k_take_profit=reward,
        k_stop_loss=risk,
    )
    # Levels of training are on no tick: seventeen digits carry a float unchanged.
    signal = a_signal(
        side=side,
        entry=Decimal(repr(CLOSE)),
        take_profit=Decimal(repr(level(direction, reward))),
        stop_loss=Decimal(repr(level(-direction, risk))),
        horizon=horizon,
        cost=0.0,
    )
    for candle in list(candles)[1:]:
        if signal.status is SignalStatus.ACTIVE:
            signal = resolved(replace(signal), candle, at=candle.open_time + HOUR)
    assert signal.outcome_r is not None
    assert labels.label[0] == LABELS[signal.status]
    assert labels.exit_index[0] == signal.candles_seen
    at_risk = direction * log(CLOSE / float(signal.stop_loss))
    assert signal.outcome_r * at_risk == pytest.approx(labels.realised[0], rel=1e-9, abs=1e-15)
