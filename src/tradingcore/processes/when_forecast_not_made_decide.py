from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.events import ForecastNotMade
from tradingcore.ml.model.forecast import ForecastFault
from tradingcore.processes.reaction import Reaction
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.policies import Verdict
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandle, DecideOnCandleCommand

REASONS: Final[dict[ForecastFault, DecisionReason]] = {
    ForecastFault.MODEL_NOT_APPROVED: DecisionReason.MODEL_NOT_APPROVED,
    ForecastFault.NOT_ENOUGH_HISTORY: DecisionReason.NOT_ENOUGH_HISTORY,
    ForecastFault.MODEL_UNUSABLE: DecisionReason.MODEL_UNUSABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenForecastNotMadeDecide(Reaction[ForecastNotMade]):
    """A candle without a forecast still moves open signals on, and its decision says why there is no signal."""

    name: ClassVar[str] = "trading.decide_without_forecast"
    reacts_to: ClassVar[type[DomainEvent]] = ForecastNotMade
    decide_on_candle: DecideOnCandle

    async def react(self, actor: Actor, event: ForecastNotMade, recorded: RecordedEvent) -> None:
        await self.decide_on_candle(
            actor,
            DecideOnCandleCommand(
                key=SeriesKey(event.symbol, event.timeframe),
                candle=event.candle,
                received_at=event.occurred_at,
                source=event.source,
                missing_candles=event.missing_candles,
                obstacle=Verdict(reason=REASONS[event.fault], detail=event.detail),
            ),
        )
