"""The decision on one closed candle: a signal, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.trading.ids import DecisionId, ForecastRef, SignalId


class DecisionReason(StrEnum):
    SIGNAL = "signal"
    NO_EDGE_AFTER_COSTS = "no_edge_after_costs"
    RISK_REWARD_TOO_LOW = "risk_reward_too_low"
    STOP_TOO_CLOSE = "stop_too_close"
    OUT_OF_DISTRIBUTION = "out_of_distribution"
    STALE_DATA = "stale_data"
    MISSING_CANDLES = "missing_candles"
    NOT_ENOUGH_HISTORY = "not_enough_history"
    MODEL_NOT_APPROVED = "model_not_approved"
    MODEL_UNUSABLE = "model_unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Aggregate):
    """One per candle. ``expected_value_r`` is that of the best candidate, in R after costs, where there was one."""

    id: DecisionId
    symbol: SymbolCode
    timeframe: Timeframe
    candle: datetime
    decided_at: datetime
    reason: DecisionReason
    detail: str
    trace_id: TraceId
    forecast_id: ForecastRef | None = None
    signal_id: SignalId | None = None
    expected_value_r: float | None = None
