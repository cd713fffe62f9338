"""The end of the flow inside trading: open signals move on, and the candle gets its decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from math import exp
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import Candle, SeriesKey
from tradingcore.kernel.ports import IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.ids import DecisionId, SignalId
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.outlook import Outlook
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Symbol
from tradingcore.trading.policies import Offer, Verdict, judge, patience_for, resolved
from tradingcore.trading.ports import TradingUnitOfWork

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOnCandleCommand:
    """``outlook`` is ``None`` when there is no forecast; then ``obstacle`` says why."""

    key: SeriesKey
    candle: Candle
    received_at: datetime
    source: str
    missing_candles: int
    outlook: Outlook | None = None
    obstacle: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOnCandleResult:
    decision: Decision
    signal: Signal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOnCandle(UseCase[DecideOnCandleCommand, DecideOnCandleResult]):
    """Resolve open signals with the candle, then decide on it: one decision, at most one signal, however often it is called."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[TradingUnitOfWork]
    ids: IdGenerator

    async def handle(self, actor: Actor, command: DecideOnCandleCommand) -> DecideOnCandleResult:
        key, candle = command.key, command.candle
        decided_at = max(command.received_at, key.timeframe.close_of(candle.open_time))
        async with self.uow(actor) as unit:
            known = await unit.decisions.find(key, candle.open_time)
            if known is not None:
                return DecideOnCandleResult(decision=known)
            # Dead letters come back after later candles: those have been looked at without this one.
            open_signals = [one for one in await unit.signals.list_active(key) if one.awaits(candle.open_time)]
            changed = [resolved(one, candle, at=decided_at) for one in open_signals]
            symbol = await unit.symbols.get(key.symbol)
            verdict = _verdict(command, symbol, decided_at)
            signal: Signal | None = None
            if verdict.offer is not None and command.outlook is not None:
                signal = signal_from(
                    verdict.offer,
                    command.outlook,
                    symbol,
                    id=SignalId(self.ids.new_id()),
                    issued_at=decided_at,
                    actor=actor,
                    source=command.source,
                ).issued()
                changed.append(signal)
            saved = await unit.signals.save_all(changed)
            if signal is not None:
                signal = saved[-1]
            decision = await unit.decisions.save(
                Decision(
                    id=DecisionId(self.ids.new_id()),
                    symbol=key.symbol,
                    timeframe=key.timeframe,
                    candle=candle.open_time,
                    decided_at=decided_at,
                    reason=verdict.reason,
                    detail=verdict.detail,
                    trace_id=actor.trace_id,
                    forecast_id=command.outlook.forecast_id if command.outlook is not None else None,
                    signal_id=signal.id if signal is not None else None,
                    expected_value_r=verdict.expected_value_r,
                )
            )
        return DecideOnCandleResult(decision=decision, signal=signal)


def _verdict(command: DecideOnCandleCommand, symbol: Symbol, decided_at: datetime) -> Verdict:
    age = decided_at - command.key.timeframe.close_of(command.candle.open_time)
    if age > patience_for(command.key.timeframe):
        return Verdict(reason=DecisionReason.STALE_DATA, detail=f"the candle arrived {age.total_seconds():.0f} s after its close")
    if command.missing_candles:
        return Verdict(
            reason=DecisionReason.MISSING_CANDLES,
            detail=f"{command.missing_candles} candles before this one are missing and the feed does not have them",
        )
    if command.outlook is None:
        assert command.obstacle is not None, "no forecast and no reason"
        return command.obstacle
    return judge(command.outlook, symbol)


def signal_from(
    offer: Offer,
    outlook: Outlook,
    symbol: Symbol,
    *,
    id: SignalId,  # noqa: A002 - the field's name
    issued_at: datetime,
    actor: Actor,
    source: str,
) -> Signal:
    """Build the signal of an offer; a function of its arguments alone, so that `explain` can build it again."""
    horizon = offer.horizon

    def level(delta: float, direction: int) -> Decimal:
        return symbol.round_price(outlook.close * exp(direction * max(0.0, delta)))

    timeframe = outlook.symbol_key.timeframe
    closes_at = timeframe.close_of(outlook.candle)
    return Signal(
        id=id,
        symbol=symbol.code,
        timeframe=timeframe,
        issued_at=issued_at,
        decision_candle=outlook.candle,
        side=offer.side,
        entry=offer.entry,
        take_profit=offer.take_profit,
        stop_loss=offer.stop_loss,
        risk_reward=offer.risk_reward.quantize(Decimal("0.0001"), rounding=ROUND_FLOOR),
        probability=offer.barrier.p_take_profit,
        p_stop_loss=offer.barrier.p_stop_loss,
        p_time=offer.barrier.p_time,
        expected_value_r=offer.expected_value_r,
        cost=offer.cost,
        horizon=horizon.horizon,
        predicted_high=level(horizon.delta_high[1], 1),
        predicted_high_low=level(horizon.delta_high[0], 1),
        predicted_high_high=level(horizon.delta_high[2], 1),
        predicted_low=level(horizon.delta_low[1], -1),
        predicted_low_low=level(horizon.delta_low[2], -1),
        predicted_low_high=level(horizon.delta_low[0], -1),
        interval_level=horizon.interval_level,
        interval_coverage=horizon.interval_coverage,
        sample_size=horizon.sample_size,
        expires_at=closes_at + horizon.horizon * timeframe.duration,
        model_version_id=horizon.model_version_id,
        model_version=horizon.model_version,
        forecast_id=outlook.forecast_id,
        feature_hash=outlook.feature_hash,
        data_first=outlook.data_first,
        data_last=outlook.data_last,
        trace_id=actor.trace_id,
        is_simulated=source == SIMULATED,
        terms=symbol.terms,
    )
