"""How the candles after a signal end it: ml.md S6, the rule that labels and back-tests use too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingcore.kernel.market import Candle
from tradingcore.testing.builders import HOUR, MONDAY, a_signal
from tradingcore.trading.errors import SignalNotActive
from tradingcore.trading.events import SignalResolved
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import MOVES, Signal, SignalStatus, SignalTrigger
from tradingcore.trading.policies import resolved

RISK = log(100 / 98)


def bar(number: int, open_: float, high: float, low: float, close: float) -> Candle:
    """The candle so many after the decision candle."""
    return Candle(MONDAY + number * HOUR, open_, high, low, close, 1.0)


def after(signal: Signal, *candles: Candle) -> Signal:
    for candle in candles:
        if signal.status is SignalStatus.ACTIVE:
            signal = resolved(signal, candle, at=candle.open_time + HOUR)
    return signal


def long(**overrides: Any) -> Signal:
    """Entry 100, target 104, stop 98, four candles."""
    return a_signal(cost=0.0, **overrides)


def short(**overrides: Any) -> Signal:
    """Entry 100, target 96, stop 102."""
    return a_signal(side=Side.SHORT, take_profit=Decimal(96), stop_loss=Decimal(102), cost=0.0, **overrides)


QUIET = [bar(number, 100.5, 101, 100, 100.5) for number in range(1, 5)]


def test_position_fills_at_the_next_open_and_not_at_the_entry() -> None:
    watched = after(long(), bar(1, 101, 102, 99, 100))
    assert (watched.status, watched.fill_price, watched.candles_seen) == (SignalStatus.ACTIVE, 101, 1)
    ended = after(watched, bar(2, 103, 105, 102, 103))
    assert ended.outcome_r == pytest.approx(log(104 / 101) / RISK)
    assert ended.fill_price == 101


@pytest.mark.parametrize(
    ("signal", "candle", "status", "price"),
    [
        pytest.param(long(), bar(1, 100, 104, 99, 103), SignalStatus.TAKE_PROFIT, 104, id="long target touched"),
        pytest.param(short(), bar(1, 100, 101, 96, 97), SignalStatus.TAKE_PROFIT, 96, id="short target touched"),
        pytest.param(long(), bar(1, 100, 103, 98, 99), SignalStatus.STOP_LOSS, 98, id="long stop touched"),
        pytest.param(short(), bar(1, 100, 102, 99, 101), SignalStatus.STOP_LOSS, 102, id="short stop touched"),
        pytest.param(long(), bar(1, 100, 110, 90, 105), SignalStatus.STOP_LOSS, 98, id="stop first where one candle holds both"),
        pytest.param(short(), bar(1, 100, 110, 90, 95), SignalStatus.STOP_LOSS, 102, id="short: stop first too"),
        pytest.param(long(), bar(1, 97, 105, 96, 97), SignalStatus.STOP_LOSS, 97, id="first open beyond the stop"),
        pytest.param(long(), bar(1, 98, 105, 98, 99), SignalStatus.STOP_LOSS, 98, id="first open on the stop"),
        pytest.param(long(), bar(1, 106, 107, 97, 99), SignalStatus.TAKE_PROFIT, 106, id="first open beyond the target"),
        pytest.param(long(), bar(1, 104, 105, 97, 99), SignalStatus.TAKE_PROFIT, 104, id="first open on the target"),
        pytest.param(short(), bar(1, 95, 103, 94, 99), SignalStatus.TAKE_PROFIT, 95, id="short: first open beyond the target"),
    ],
)
def test_one_candle_can_end_it(signal: Signal, candle: Candle, status: SignalStatus, price: float) -> None:
    ended = after(signal, candle)
    direction = 1 if signal.side is Side.LONG else -1
    risk = direction * log(100 / float(signal.stop_loss))
    assert ended.status is status
    assert ended.outcome_r == pytest.approx(direction * log(price / candle.open) / risk)


def test_gap_beyond_the_stop_fills_at_the_open() -> None:
    ended = after(long(), QUIET[0], bar(2, 95, 105, 94, 104))
    assert ended.status is SignalStatus.STOP_LOSS
    assert ended.outcome_r == pytest.approx(log(95 / 100.5) / RISK)


def test_gap_beyond_the_target_fills_at_the_limit() -> None:
    ended = after(long(), QUIET[0], bar(2, 107, 108, 103, 107))
    assert ended.status is SignalStatus.TAKE_PROFIT
    assert ended.outcome_r == pytest.approx(log(104 / 100.5) / RISK)


def test_stop_is_first_even_in_a_later_candle_that_opens_beyond_the_target() -> None:
    ended = after(long(), QUIET[0], bar(2, 107, 108, 97, 107))
    assert ended.status is SignalStatus.STOP_LOSS
    assert ended.outcome_r == pytest.approx(log(98 / 100.5) / RISK)


def test_time_runs_out_at_the_close_of_the_last_candle() -> None:
    assert after(long(), *QUIET[:3]).status is SignalStatus.ACTIVE
    ended = after(long(), *QUIET[:3], bar(4, 101, 103, 99, 102))
    assert ended.status is SignalStatus.EXPIRED
    assert ended.outcome_r == pytest.approx(log(102 / 100.5) / RISK)
    assert (ended.candles_seen, ended.closed_at) == (4, MONDAY + 5 * HOUR)


def test_level_in_the_last_candle_comes_before_its_close() -> None:
    assert after(long(), *QUIET[:3], bar(4, 101, 104, 99, 100)).status is SignalStatus.TAKE_PROFIT


def test_horizon_of_one_candle_ends_at_its_close() -> None:
    assert after(long(horizon=1), QUIET[0]).status is SignalStatus.EXPIRED


def test_costs_are_taken_from_every_outcome() -> None:
    free, paid = after(long(), *QUIET), after(replace(long(), cost=0.0011), *QUIET)
    assert free.outcome_r is not None
    assert paid.outcome_r == pytest.approx(free.outcome_r - 0.0011 / RISK)


def test_end_is_announced_once_and_nothing_ends_it_again() -> None:
    ended = after(long(), bar(1, 100, 104, 99, 103))
    assert [type(event) for event in ended.pending_events] == [SignalResolved]
    for trigger in SignalTrigger:
        with pytest.raises(SignalNotActive):
            ended.ended(trigger, at=MONDAY, outcome_r=None)


def test_cancelling_looks_at_no_candle() -> None:
    cancelled = after(long(), QUIET[0]).ended(SignalTrigger.CANCEL, at=MONDAY, outcome_r=None)
    assert (cancelled.status, cancelled.candles_seen, cancelled.fill_price) == (SignalStatus.CANCELLED, 1, 100.5)


def test_every_trigger_has_its_move_out_of_active() -> None:
    assert MOVES.keys() == {(SignalStatus.ACTIVE, trigger) for trigger in SignalTrigger}
    assert set(MOVES.values()) == set(SignalStatus) - {SignalStatus.ACTIVE}


def test_signal_awaits_candles_after_its_decision_and_each_once() -> None:
    signal = long()
    assert not signal.awaits(MONDAY)
    assert signal.awaits(MONDAY + HOUR)
    watched = after(signal, QUIET[1])
    assert not watched.awaits(QUIET[0].open_time)
    assert not watched.awaits(QUIET[1].open_time)
    assert watched.awaits(QUIET[2].open_time)


prices = st.floats(94, 108) | st.sampled_from([96.0, 98.0, 100.0, 102.0, 104.0])


@st.composite
def paths(draw: st.DrawFn) -> list[Candle]:
    """Candles that gap, often over the levels and onto them."""
    found = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        four = [draw(prices) for _ in range(4)]
        found.append(bar(number, four[0], max(four), min(four), four[3]))
    return found


def slow_end(signal: Signal, path: list[Candle]) -> tuple[str, float, int] | None:
    """(status, exit price, candle number), written down from the sentences of the rule one by one."""
    sign = 1 if signal.side is Side.LONG else -1
    stop, target = sign * float(signal.stop_loss), sign * float(signal.take_profit)
    for number, candle in enumerate(path[: signal.horizon], 1):
        lowest, highest = sorted((sign * candle.low, sign * candle.high))
        opened = sign * candle.open
        if opened <= stop:
            return "stop_loss", candle.open, number
        if number == 1 and opened >= target:
            return "take_profit", candle.open, number
        if lowest <= stop:
            return "stop_loss", sign * stop, number
        if highest >= target:
            return "take_profit", sign * target, number
        if number == signal.horizon:
            return "expired", candle.close, number
    return None


@settings(deadline=None)  # a busy machine is no fault of the rule
@given(path=paths(), side=st.sampled_from(Side), horizon=st.integers(1, 6))
def test_any_path_ends_as_the_rule_says(path: list[Candle], side: Side, horizon: int) -> None:
    signal = long(horizon=horizon) if side is Side.LONG else short(horizon=horizon)
    ended, expected = after(signal, *path), slow_end(signal, path)
    if expected is None:
        assert (ended.status, ended.candles_seen, ended.outcome_r) == (SignalStatus.ACTIVE, len(path), None)
        return
    status, price, number = expected
    sign = 1 if side is Side.LONG else -1
    risk = sign * log(100 / float(signal.stop_loss))
    assert (ended.status.value, ended.candles_seen) == (status, number)
    assert ended.outcome_r == pytest.approx(sign * log(price / path[0].open) / risk, abs=1e-12)
    assert ended.closed_at == MONDAY + timedelta(hours=number + 1)
