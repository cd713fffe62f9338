from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.events import ForecastMade
from tradingcore.processes.outlook import outlook_of
from tradingcore.processes.reaction import Reaction
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandle, DecideOnCandleCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenForecastMadeDecide(Reaction[ForecastMade]):
    name: ClassVar[str] = "trading.decide_on_forecast"
    reacts_to: ClassVar[type[DomainEvent]] = ForecastMade
    decide_on_candle: DecideOnCandle

    async def react(self, actor: Actor, event: ForecastMade, recorded: RecordedEvent) -> None:
        key = SeriesKey(event.symbol, event.timeframe)
        await self.decide_on_candle(
            actor,
            DecideOnCandleCommand(
                key=key,
                candle=event.candle,
                received_at=event.occurred_at,
                source=event.source,
                missing_candles=event.missing_candles,
                outlook=outlook_of(
                    key,
                    forecast_id=event.forecast_id,
                    candle=event.candle.open_time,
                    close=event.candle.close,
                    horizons=event.horizons,
                    feature_hash=event.feature_hash,
                    data_first=event.data_first,
                    data_last=event.data_last,
                ),
            ),
        )
