from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.use_cases.make_forecast import MakeForecast, MakeForecastCommand
from tradingcore.processes.reaction import Reaction
from tradingcore.trading.events import CandleClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenCandleClosedMakeForecast(Reaction[CandleClosed]):
    name: ClassVar[str] = "ml.make_forecast"
    reacts_to: ClassVar[type[DomainEvent]] = CandleClosed
    make_forecast: MakeForecast

    async def react(self, actor: Actor, event: CandleClosed, recorded: RecordedEvent) -> None:
        await self.make_forecast(
            actor,
            MakeForecastCommand(
                key=SeriesKey(event.symbol, event.timeframe),
                candle=event.candle,
                received_at=event.occurred_at,
                source=event.source,
                missing_candles=event.missing_candles,
            ),
        )
