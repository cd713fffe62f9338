from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from adapters.memory.database import MemoryDatabase, MemoryUnit, MemoryUnits, Stored
from adapters.memory.lazy import lazy
from adapters.memory.table import Staged
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.page import Page, PageRequest, Position, page_from
from tradingcore.ml.errors import ForecastNotFound, ModelNotFound
from tradingcore.ml.events import ForecastNotMade
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.ml.ports import ForecastRepository, MlUnitOfWork, ModelRepository
from tradingcore.ml.queries import MlQueries, ModelView


class MemoryModelRepository(Stored[ModelId, Model], ModelRepository):
    def __init__(self, unit: MemoryUnit) -> None:
        super().__init__(unit, unit.database.models)
        self._versions: Staged[ModelVersionId, ModelVersion] = unit.stage(unit.database.model_versions)

    async def find(self, key: SeriesKey, horizon: int) -> Model | None:
        return self._staged.find_unique((key.symbol, key.timeframe, horizon))

    async def next_number(self, model_id: ModelId) -> int:
        return 1 + max((version.number for version in self._versions.in_group(model_id)), default=0)

    async def add_version(self, version: ModelVersion) -> ModelVersion:
        return self._unit.save(self._versions, version)


class MemoryForecastRepository(Stored[ForecastId, Forecast], ForecastRepository):
    async def announce(self, event: ForecastNotMade) -> None:
        self._unit.announce(event)

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        return self._staged.delete(
            [
                forecast.id
                for forecast in self._staged
                if (forecast.symbol, forecast.timeframe) == (key.symbol, key.timeframe) and forecast.candle >= first
            ]
        )


class MemoryMlUnit(MemoryUnit, MlUnitOfWork):
    @lazy
    def models(self) -> MemoryModelRepository:
        return MemoryModelRepository(self)

    @lazy
    def forecasts(self) -> MemoryForecastRepository:
        return MemoryForecastRepository(self, self.database.forecasts)


class MemoryMlUnits(MemoryUnits[MemoryMlUnit]):
    """A `UnitOfWorkFactory` of `MlUnitOfWork`."""

    unit = MemoryMlUnit


class MemoryMlQueries(MlQueries):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def list_models(self, key: SeriesKey | None, page: PageRequest) -> Page[ModelView]:
        rows = self._database.models.newest_first(
            page, lambda model: key is None or (model.symbol, model.timeframe) == (key.symbol, key.timeframe)
        )
        views = [ModelView(model=model, versions=self._champion_of(model)) for model in rows]
        return page_from(views, page, lambda view: Position(view.model.created_at, view.model.id))

    def _champion_of(self, model: Model) -> tuple[ModelVersion, ...]:
        return () if model.champion_id is None else (self._database.model_versions.rows[model.champion_id],)

    async def get_model(self, model_id: ModelId) -> ModelView:
        model = self._database.models.rows.get(model_id)
        if model is None:
            raise ModelNotFound(f"there is no model {model_id}")
        versions = self._database.model_versions.groups.get(model_id, {}).values()
        return ModelView(model=model, versions=sorted(versions, key=lambda version: version.number, reverse=True))

    async def champions(self, key: SeriesKey) -> Sequence[ModelVersion]:
        found = [
            champion
            for model in self._database.models.rows.values()
            if (model.symbol, model.timeframe) == (key.symbol, key.timeframe)
            for champion in self._champion_of(model)
        ]
        return sorted(found, key=lambda version: version.horizon)

    async def get_version(self, version_id: ModelVersionId) -> ModelVersion:
        version = self._database.model_versions.rows.get(version_id)
        if version is None:
            raise ModelNotFound(f"there is no model version {version_id}")
        return version

    async def find_forecast(self, key: SeriesKey, candle: datetime) -> Forecast | None:
        forecast_id = self._database.forecasts.unique_rows.get((key.symbol, key.timeframe, candle))
        return None if forecast_id is None else self._database.forecasts.rows[forecast_id]

    async def get_forecast(self, forecast_id: ForecastId) -> Forecast:
        forecast = self._database.forecasts.rows.get(forecast_id)
        if forecast is None:
            raise ForecastNotFound(f"there is no forecast {forecast_id}")
        return forecast
