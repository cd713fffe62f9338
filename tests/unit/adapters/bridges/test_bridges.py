"""The bridges keep the contracts of the ports that they serve, over memory storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from adapters.bridges.forecast_explainer import MlForecastExplainer
from adapters.bridges.market_history import TradingMarketHistory
from adapters.bridges.served_models import LoadedModels
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.ml import MemoryMlQueries, MemoryMlUnits
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tests.unit.core.ml.world import FIVE, Learning
from tests.unit.core.stand_ins import NOT_A_BUNDLE, HopefulLoader
from tradingcore.kernel.market import to_milliseconds
from tradingcore.testing.bridges import ForecastExplainerContract, MarketHistoryContract, ServedModelsContract
from tradingcore.testing.builders import BTC_1H, a_model, a_model_version, an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.ids import ForecastRef


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(FakeClock())


class TestTradingMarketHistory(MarketHistoryContract):
    @pytest.fixture
    def history(self, database: MemoryDatabase) -> TradingMarketHistory:
        return TradingMarketHistory(queries=MemoryTradingQueries(database), candles=MemoryCandleStore(database))

    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryTradingUnits:
        return MemoryTradingUnits(database, SequentialIds())


class TestLoadedModels(ServedModelsContract):
    @pytest.fixture
    def loader(self) -> HopefulLoader:
        return HopefulLoader()

    @pytest.fixture
    def served(self, database: MemoryDatabase, blobs: MemoryBlobStore, loader: HopefulLoader) -> LoadedModels:
        return LoadedModels(queries=MemoryMlQueries(database), blobs=blobs, loader=loader)

    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryMlUnits:
        return MemoryMlUnits(database, SequentialIds())

    @pytest.fixture
    def blobs(self) -> MemoryBlobStore:
        return MemoryBlobStore()

    @pytest.fixture
    def bundle(self) -> bytes:
        return b"a bundle"

    @pytest.fixture
    def broken(self) -> bytes:
        return NOT_A_BUNDLE

    async def test_bundle_is_read_and_loaded_once(
        self, served: LoadedModels, blobs: MemoryBlobStore, loader: HopefulLoader, units: MemoryMlUnits
    ) -> None:
        model = a_model()
        version = a_model_version(model, bundle_sha256=await blobs.put(b"a bundle"))
        async with units(an_actor()) as unit:
            saved = await unit.models.save(model)
            await unit.models.add_version(version)
            await unit.models.save(replace(saved, champion_id=version.id))
        for _ in range(3):
            await served.champions(BTC_1H)
        assert loader.loaded == [version.id]


class TestMlForecastExplainer(ForecastExplainerContract):
    @pytest.fixture
    async def learning(self) -> Learning:
        return (await Learning().with_candles()).serving(4, 24)

    @pytest.fixture
    def explainer(self, learning: Learning) -> MlForecastExplainer:
        return MlForecastExplainer(explain_forecast=learning.explain, ids=learning.ids)

    @pytest.fixture
    async def forecast_id(self, learning: Learning) -> ForecastRef:
        forecast = await learning.forecast()
        assert forecast is not None
        return ForecastRef(forecast.id)

    @pytest.fixture
    def spoil(self, learning: Learning, forecast_id: ForecastRef) -> Callable[[], Awaitable[None]]:
        async def spoil() -> None:
            candle = FIVE[-2]
            numbers = (candle.open, candle.high, candle.low, candle.close + 0.5, candle.volume)
            columns = learning.database.candles[BTC_1H]
            learning.database.candles[BTC_1H] = columns.rebuilt({to_milliseconds(candle.open_time): numbers})

        return spoil
