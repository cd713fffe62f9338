"""From a forecast to a decision, and from candles to the end of a signal: pure rules.

Sources: ml.md S6 (one rule for labels, back-test and live resolution) and S9 (signal generator) of the specification, restated in
``docs/signals.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import exp, log
from typing import Final

from tradingcore.kernel.market import Candle, Timeframe
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.outlook import BarrierOutlook, HorizonOutlook, Outlook, Side
from tradingcore.trading.model.signal import Signal, SignalTrigger
from tradingcore.trading.model.symbol import Symbol

STOP_SPREADS: Final = 1.5
"""A stop is at least this many spreads away."""

SHORTEST_PATIENCE: Final = timedelta(seconds=90)


def patience_for(timeframe: Timeframe) -> timedelta:
    """How old a candle may be, after its close, and still lead to a signal: half a candle, at least 90 seconds."""
    return max(SHORTEST_PATIENCE, timeframe.duration / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A candidate signal on the tick. ``expected_value_r`` and ``risk_reward`` are computed from the rounded prices.

    Rounding never flatters: the target is rounded towards the entry, the stop away from it, and the entry, the close where that is
    on the tick, against the position. So the reward is at most, and the risk at least, what the forecast says.
    """

    side: Side
    horizon: HorizonOutlook
    barrier: BarrierOutlook
    entry: Decimal
    take_profit: Decimal
    stop_loss: Decimal
    risk_reward: Decimal
    expected_value_r: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of an outlook: an offer, or the reason against and the best expected value that was seen."""

    reason: DecisionReason
    detail: str
    offer: Offer | None = None
    expected_value_r: float | None = None


def judge(outlook: Outlook, symbol: Symbol) -> Verdict:
    """Choose the offer with the highest expected value in R after costs among those over the symbol's floors."""
    if outlook.is_out_of_distribution:
        return Verdict(
            reason=DecisionReason.OUT_OF_DISTRIBUTION,
            detail="the features of this candle lie outside what the model has seen in training",
        )
    rules = symbol.rules
    offers = list(_offers(outlook, symbol))
    if not offers:
        return Verdict(
            reason=DecisionReason.STOP_TOO_CLOSE,
            detail=f"the predicted range is smaller than the tick {symbol.price_tick}",
        )
    fair = [offer for offer in offers if offer.risk_reward >= rules.minimum_risk_reward]
    if not fair:
        best = max(offers, key=lambda offer: offer.risk_reward)
        return Verdict(
            reason=DecisionReason.RISK_REWARD_TOO_LOW,
            detail=f"best reward to risk {best.risk_reward:.2f} is below {rules.minimum_risk_reward}: "
            "the predicted range caps the target",
            expected_value_r=best.expected_value_r,
        )
    best = max(fair, key=lambda offer: offer.expected_value_r)
    if best.expected_value_r <= float(rules.minimum_expected_value_r):
        return Verdict(
            reason=DecisionReason.NO_EDGE_AFTER_COSTS,
            detail=f"best expected value {best.expected_value_r:+.3f} R after costs is not above "
            f"{rules.minimum_expected_value_r} R",
            expected_value_r=best.expected_value_r,
        )
    return Verdict(
        reason=DecisionReason.SIGNAL,
        detail=f"{best.side.value}, expected value {best.expected_value_r:+.3f} R after costs",
        offer=best,
        expected_value_r=best.expected_value_r,
    )


def _offers(outlook: Outlook, symbol: Symbol) -> Iterator[Offer]:
    close = outlook.close
    cost = symbol.costs.round_trip(close)
    widest_stop = STOP_SPREADS * symbol.costs.spread(close)
    for horizon in outlook.horizons:
        for barrier in horizon.barriers:
            median = (horizon.delta_high if barrier.side is Side.LONG else horizon.delta_low)[1]
            target = min(barrier.k_take_profit * horizon.unit, median)
            stop = max(barrier.k_stop_loss * horizon.unit, widest_stop)
            direction = 1 if barrier.side is Side.LONG else -1
            rounding, against = (ROUND_FLOOR, ROUND_CEILING) if direction > 0 else (ROUND_CEILING, ROUND_FLOOR)
            entry = symbol.round_price(close, rounding=against)
            take_profit = symbol.round_price(close * exp(direction * target), rounding=rounding)
            stop_loss = symbol.round_price(close * exp(-direction * stop), rounding=rounding)
            reward = direction * (take_profit - entry)
            risk = direction * (entry - stop_loss)
            if min(reward, risk, entry, stop_loss, take_profit) <= 0:
                continue
            gain = direction * log(float(take_profit) / float(entry))
            loss = direction * log(float(entry) / float(stop_loss))
            expected = barrier.p_take_profit * gain - barrier.p_stop_loss * loss + barrier.p_time * barrier.mean_time_return - cost
            yield Offer(
                side=barrier.side,
                horizon=horizon,
                barrier=barrier,
                entry=entry,
                take_profit=take_profit,
                stop_loss=stop_loss,
                risk_reward=reward / risk,
                expected_value_r=expected / loss,
                cost=cost,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a candle ends a position, and at what price."""

    trigger: SignalTrigger
    price: float


def exit_on(signal: Signal, candle: Candle, *, is_first: bool, is_last: bool) -> Exit | None:
    """Apply one candle to a position: the rule that training labels and back-tests use too.

    The position fills at the open of the first candle after the decision. Then, on each candle: an open at or beyond the stop ends
    it at the open; else the stop is looked at first, then the target at its limit; on the last candle of the horizon the close ends
    it. When the first open lies beyond the target already there is nothing left to gain: the position ends at that open.
    """
    direction = 1 if signal.side is Side.LONG else -1
    stop, target = float(signal.stop_loss), float(signal.take_profit)
    worst, best = (candle.low, candle.high) if direction > 0 else (candle.high, candle.low)
    if direction * (candle.open - stop) <= 0:
        return Exit(trigger=SignalTrigger.TOUCH_STOP_LOSS, price=candle.open)
    if is_first and direction * (candle.open - target) >= 0:
        return Exit(trigger=SignalTrigger.TOUCH_TAKE_PROFIT, price=candle.open)
    if direction * (worst - stop) <= 0:
        return Exit(trigger=SignalTrigger.TOUCH_STOP_LOSS, price=stop)
    if direction * (best - target) >= 0:
        return Exit(trigger=SignalTrigger.TOUCH_TAKE_PROFIT, price=target)
    if is_last:
        return Exit(trigger=SignalTrigger.TIME_OUT, price=candle.close)
    return None


def resolved(signal: Signal, candle: Candle, *, at: datetime) -> Signal:
    """``signal`` after one more closed candle: ended, or watched on. R is the published distance from entry to stop."""
    fill = candle.open if signal.fill_price is None else signal.fill_price
    watched = signal.watched(candle.open_time, fill_price=fill)
    end = exit_on(signal, candle, is_first=signal.candles_seen == 0, is_last=watched.candles_seen >= signal.horizon)
    if end is None:
        return watched
    direction = 1 if signal.side is Side.LONG else -1
    risk = direction * log(float(signal.entry) / float(signal.stop_loss))
    realised = direction * log(end.price / fill) - signal.cost
    return watched.ended(end.trigger, at=at, outcome_r=realised / risk)
