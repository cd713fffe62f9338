"""The ml context on memory storage, with the quick features and models of `stand_ins`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.bridges.market_history import TradingMarketHistory
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.ml import MemoryMlQueries, MemoryMlUnits
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tests.unit.core.stand_ins import ChosenModels, HopefulModel, SumFeatures
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import Candle
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.use_cases.explain_forecast import ExplainForecast
from tradingcore.ml.use_cases.make_forecast import MakeForecast, MakeForecastCommand
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemand
from tradingcore.testing.builders import BTC_1H, HOUR, a_model, a_model_version, a_symbol, an_actor, candles
from tradingcore.testing.fakes import FakeClock, SequentialIds

FIVE: Sequence[Candle] = candles(5)
"""Monday's first hours; the quick features need three."""


@dataclass
class Learning:
    clock: FakeClock = field(default_factory=FakeClock)
    ids: SequentialIds = field(default_factory=SequentialIds)
    models: ChosenModels = field(default_factory=ChosenModels)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(clock=self.clock)
        self.units = MemoryMlUnits(self.database, self.ids)
        self.queries = MemoryMlQueries(self.database)
        self.blobs = MemoryBlobStore()
        self.history = TradingMarketHistory(queries=MemoryTradingQueries(self.database), candles=MemoryCandleStore(self.database))
        features, clock, ids = SumFeatures(), self.clock, self.ids
        reading: dict[str, Any] = {"history": self.history, "features": features, "models": self.models}
        self.make_forecast = MakeForecast(uow=self.units, clock=clock, ids=ids, **reading)
        self.predict = PredictOnDemand(queries=self.queries, clock=clock, ids=ids, **reading)
        self.explain = ExplainForecast(queries=self.queries, **reading)

    async def with_candles(self, found: Sequence[Candle] = FIVE) -> Learning:
        async with MemoryTradingUnits(self.database, self.ids)(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, found)
        return self

    def serving(self, *horizons: int) -> Learning:
        for horizon in horizons or (4,):
            self.models.served.append(HopefulModel(a_model_version(a_model(horizon=horizon))))
        return self

    async def forecast(self, candle: Candle = FIVE[-1], *, actor: Actor | None = None) -> Forecast | None:
        ordered = MakeForecastCommand(
            key=BTC_1H, candle=candle, received_at=candle.open_time + HOUR, source="test", missing_candles=0
        )
        return await self.make_forecast(actor or an_actor(), ordered)

    def events(self) -> list[DomainEvent]:
        return [entry.recorded.event for queue in self.database.outbox.queues.values() for entry in queue]
