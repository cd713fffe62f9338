"""Reproduce a stored signal from stored candles and the stored model, and show where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Final

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.policies import judge
from tradingcore.trading.ports import ForecastExplainer
from tradingcore.trading.queries import TradingQueries
from tradingcore.trading.use_cases.decide_on_candle import SIMULATED, signal_from

LATER_FIELDS: Final = frozenset(
    {"version", "pending_events", "status", "fill_price", "candles_seen", "last_candle", "outcome_r", "closed_at", "edge_status"}
)
"""What happens to a signal after it was issued; no part of its making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSignalCommand:
    signal_id: SignalId


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalExplanation:
    """``mismatches`` names every number that came out differently, bit for bit; empty means reproduced exactly.

    ``features`` are the inputs of the horizon that was chosen; ``lineage`` names model, bundle, data and trace.
    """

    signal: Signal
    is_reproduced: bool
    mismatches: tuple[str, ...]
    features: Mapping[str, float]
    lineage: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSignal(UseCase[ExplainSignalCommand, SignalExplanation]):
    """Raises `SignalNotFound`, `SymbolNotFound`, and `Unavailable` when the candles or the model are gone."""

    permission: ClassVar[Permission] = Permission.SIGNALS_READ
    queries: TradingQueries
    forecasts: ForecastExplainer

    async def handle(self, actor: Actor, command: ExplainSignalCommand) -> SignalExplanation:
        signal = await self.queries.get_signal(command.signal_id)
        # Tick, costs and rules may have changed since: the signal was judged by those of its time.
        symbol = (await self.queries.get_symbol(signal.symbol)).under(signal.terms)
        explanation = await self.forecasts.explain(signal.forecast_id)
        mismatches = list(explanation.mismatches)
        verdict = judge(explanation.outlook, symbol)
        if verdict.offer is None:
            mismatches.append(f"decision: was a signal, is now {verdict.reason.value}: {verdict.detail}")
        else:
            again = signal_from(
                verdict.offer,
                explanation.outlook,
                symbol,
                id=signal.id,
                issued_at=signal.issued_at,
                source=SIMULATED if signal.is_simulated else "",
                actor=Actor.system(signal.trace_id),
            )
            mismatches += [
                f"{field.name}: stored {getattr(signal, field.name)}, recomputed {getattr(again, field.name)}"
                for field in fields(Signal)
                if field.name not in LATER_FIELDS and getattr(signal, field.name) != getattr(again, field.name)
            ]
        return SignalExplanation(
            signal=signal,
            is_reproduced=not mismatches,
            mismatches=tuple(mismatches),
            features=explanation.features.get(signal.horizon, {}),
            lineage={**explanation.lineage, "trace_id": signal.trace_id, "model_version": signal.model_version},
        )
