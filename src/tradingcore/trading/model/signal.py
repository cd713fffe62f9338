"""A signal: an offer to act on one series, made at the close of one candle, resolved by the candles that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.trading.errors import SignalNotActive
from tradingcore.trading.events import SignalIssued, SignalResolved
from tradingcore.trading.ids import ForecastRef, ModelVersionRef, SignalId
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.symbol import SignalTerms


class SignalStatus(StrEnum):
    ACTIVE = "active"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class SignalTrigger(StrEnum):
    """What ends a signal."""

    TOUCH_TAKE_PROFIT = "touch_take_profit"
    TOUCH_STOP_LOSS = "touch_stop_loss"
    TIME_OUT = "time_out"
    CANCEL = "cancel"


MOVES: Final[dict[tuple[SignalStatus, SignalTrigger], SignalStatus]] = {
    (SignalStatus.ACTIVE, SignalTrigger.TOUCH_TAKE_PROFIT): SignalStatus.TAKE_PROFIT,
    (SignalStatus.ACTIVE, SignalTrigger.TOUCH_STOP_LOSS): SignalStatus.STOP_LOSS,
    (SignalStatus.ACTIVE, SignalTrigger.TIME_OUT): SignalStatus.EXPIRED,
    (SignalStatus.ACTIVE, SignalTrigger.CANCEL): SignalStatus.CANCELLED,
}


class EdgeStatus(StrEnum):
    """Whether the model behind a signal has proven an edge after costs. Every signal is born ``unverified``."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Aggregate):
    """Prices are on the symbol's tick. ``expected_value_r`` and ``outcome_r`` are in R after spread, fees and slippage.

    ``entry`` is the reference price, the close of the decision candle; the position fills at the next open (``fill_price``).
    ``cost`` is the round trip as a fraction of the entry; ``terms`` are the symbol's at that time. ``candles_seen`` counts the
    candles that were looked at since, ``last_candle`` is the open time of the newest of them.
    """

    id: SignalId
    symbol: SymbolCode
    timeframe: Timeframe
    issued_at: datetime
    decision_candle: datetime
    side: Side
    entry: Decimal
    take_profit: Decimal
    stop_loss: Decimal
    risk_reward: Decimal
    probability: float
    p_stop_loss: float
    p_time: float
    expected_value_r: float
    cost: float
    horizon: int
    predicted_high: Decimal
    predicted_high_low: Decimal
    predicted_high_high: Decimal
    predicted_low: Decimal
    predicted_low_low: Decimal
    predicted_low_high: Decimal
    interval_level: float
    interval_coverage: float
    sample_size: int
    expires_at: datetime
    model_version_id: ModelVersionRef
    model_version: str
    forecast_id: ForecastRef
    feature_hash: str
    data_first: datetime
    data_last: datetime
    trace_id: TraceId
    is_simulated: bool
    terms: SignalTerms
    edge_status: EdgeStatus = EdgeStatus.UNVERIFIED
    status: SignalStatus = SignalStatus.ACTIVE
    fill_price: float | None = None
    candles_seen: int = 0
    last_candle: datetime | None = None
    outcome_r: float | None = None
    closed_at: datetime | None = None

    def __post_init__(self) -> None:
        low, high = (self.stop_loss, self.take_profit) if self.side is Side.LONG else (self.take_profit, self.stop_loss)
        if not low < self.entry < high:
            raise InvalidInput(
                f"a {self.side.value} signal needs its entry {self.entry} between stop {self.stop_loss} "
                f"and target {self.take_profit}"
            )

    def issued(self) -> Signal:
        """Announce that the signal exists."""
        return self.announcing(
            SignalIssued(occurred_at=self.issued_at, symbol=self.symbol, timeframe=self.timeframe, signal_id=self.id)
        )

    def awaits(self, open_time: datetime) -> bool:
        """Whether the candle that opens then is one to look at: later than the decision candle, and than the last one seen."""
        return open_time > (self.last_candle or self.decision_candle)

    def watched(self, open_time: datetime, *, fill_price: float) -> Signal:
        """The signal after it was filled at ``fill_price`` and a candle was looked at."""
        return replace(self, fill_price=fill_price, candles_seen=self.candles_seen + 1, last_candle=open_time)

    def ended(self, trigger: SignalTrigger, *, at: datetime, outcome_r: float | None) -> Signal:
        """Move to a final status and announce it. Raises `SignalNotActive` when the table has no such move."""
        target = MOVES.get((self.status, trigger))
        if target is None:
            raise SignalNotActive(f"signal {self.id} is {self.status.value}: {trigger.value} cannot end it")
        ended = replace(self, status=target, closed_at=at, outcome_r=outcome_r)
        return ended.announcing(SignalResolved(occurred_at=at, symbol=self.symbol, timeframe=self.timeframe, signal_id=self.id))
