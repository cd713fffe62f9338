from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import fetch, statements
from adapters.postgres.pages import paged
from adapters.postgres.rows.ml import (
    forecast_from_row,
    forecast_to_row,
    model_from_row,
    model_to_row,
    version_from_row,
    version_to_row,
)
from adapters.postgres.tables.ml import aliases, forecasts, model_versions, models
from adapters.postgres.unit import PostgresUnit, PostgresUnits
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.page import Page, PageRequest, Position, page_from
from tradingcore.ml.errors import ForecastNotFound, ModelNotFound
from tradingcore.ml.events import ForecastNotMade
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.model.model_version import CHAMPION, Model, ModelVersion
from tradingcore.ml.ports import ForecastRepository, MlUnitOfWork, ModelRepository
from tradingcore.ml.queries import MlQueries, ModelView

_OF_MODEL: Final = and_(aliases.c.model_id == models.c.id, aliases.c.name == CHAMPION)
_MODELS: Final[Select[Any]] = select(models, aliases.c.version_id.label("champion_id")).join(aliases, _OF_MODEL, isouter=True)
# Both keep what was there before; a save that leaves the champion alone writes nothing.
_CROWN: Final = text(
    """
    with changed as (
        insert into ml.aliases as alias (model_id, name, version_id, changed_by)
        values (cast(:model_id as uuid), :name, cast(:version_id as uuid), :changed_by)
        on conflict (model_id, name) do update
        set version_id = excluded.version_id, changed_by = excluded.changed_by, changed_at = now()
        where alias.version_id <> excluded.version_id
        returning model_id, name, version_id, changed_by
    )
    insert into ml.alias_history (model_id, name, version_id, changed_by) select * from changed
    """
)
_DETHRONE: Final = text(
    """
    with changed as (
        delete from ml.aliases where model_id = cast(:model_id as uuid) and name = :name returning model_id, name
    )
    insert into ml.alias_history (model_id, name, version_id, changed_by) select model_id, name, null, :changed_by from changed
    """
)

_CHAMPIONS: Final = """
    select version.id, version.version
    from ml.models as model join ml.aliases as alias on alias.model_id = model.id and alias.name = 'champion'
    join ml.model_versions as version on version.id = alias.version_id
    where model.symbol = $1 and model.timeframe = $2 order by model.horizon
    """


def _of_series(table: Any, key: SeriesKey) -> tuple[ColumnElement[bool], ...]:
    return (table.c.symbol == key.symbol, table.c.timeframe == key.timeframe)


class PostgresModelRepository(ModelRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def find(self, key: SeriesKey, horizon: int) -> Model | None:
        statement = _MODELS.where(*_of_series(models, key), models.c.horizon == horizon)
        row = (await self._unit.connection.execute(statement)).one_or_none()
        return None if row is None else model_from_row(row)

    async def save(self, model: Model) -> Model:
        what = f"the model of {model.symbol}:{model.timeframe.value} over {model.horizon} candles"
        saved = await self._unit.save(models, model, model_to_row(model), what=what)
        alias = {"model_id": model.id, "name": CHAMPION, "changed_by": self._unit.actor.name}
        if model.champion_id is not None:
            await self._unit.connection.execute(_CROWN, {**alias, "version_id": model.champion_id})
        elif model.version:
            await self._unit.connection.execute(_DETHRONE, alias)
        return saved

    async def next_number(self, model_id: ModelId) -> int:
        statement = select(func.coalesce(func.max(model_versions.c.number), 0)).where(model_versions.c.model_id == model_id)
        highest: int = (await self._unit.connection.execute(statement)).scalar_one()
        return highest + 1

    async def add_version(self, version: ModelVersion) -> ModelVersion:
        return await self._unit.save(model_versions, version, version_to_row(version), what=f"model version {version.label}")


class PostgresForecastRepository(ForecastRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def save(self, forecast: Forecast) -> Forecast:
        what = f"the forecast of {forecast.symbol}:{forecast.timeframe.value} at {forecast.candle.isoformat()}"
        return await self._unit.save(forecasts, forecast, forecast_to_row(forecast), what=what)

    async def announce(self, event: ForecastNotMade) -> None:
        self._unit.events.append(event)

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        statement = delete(forecasts).where(*_of_series(forecasts, key), forecasts.c.candle >= first)
        return (await self._unit.connection.execute(statement)).rowcount


class PostgresMlUnit(PostgresUnit, MlUnitOfWork):
    @cached_property
    def models(self) -> PostgresModelRepository:
        return PostgresModelRepository(self)

    @cached_property
    def forecasts(self) -> PostgresForecastRepository:
        return PostgresForecastRepository(self)


class PostgresMlUnits(PostgresUnits[PostgresMlUnit]):
    """A `UnitOfWorkFactory` of `MlUnitOfWork`; the role of ``engine`` is ``tc_worker``."""

    unit = PostgresMlUnit


class PostgresMlQueries(MlQueries):
    """Models and forecasts have no owner: nobody in particular reads them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Every candle asks for the champions, whose folds and figures are long to read.
        self._known: dict[ModelVersionId, ModelVersion] = {}

    async def list_models(self, key: SeriesKey | None, page: PageRequest) -> Page[ModelView]:
        statement = _MODELS if key is None else _MODELS.where(*_of_series(models, key))
        async with statements(self._engine) as connection:
            found = [
                model_from_row(row) for row in await connection.execute(paged(statement, models.c.created_at, models.c.id, page))
            ]
            crowned = [model.champion_id for model in found if model.champion_id is not None]
            rows = await connection.execute(select(model_versions).where(model_versions.c.id.in_(crowned)))
            champions = {row.id: version_from_row(row) for row in rows}
        views = [
            ModelView(model=model, versions=() if model.champion_id is None else (champions[model.champion_id],)) for model in found
        ]
        return page_from(views, page, lambda view: Position(view.model.created_at, view.model.id))

    async def get_model(self, model_id: ModelId) -> ModelView:
        versions = select(model_versions).where(model_versions.c.model_id == model_id).order_by(model_versions.c.number.desc())
        async with statements(self._engine) as connection:
            row = (await connection.execute(_MODELS.where(models.c.id == model_id))).one_or_none()
            if row is None:
                raise ModelNotFound(f"there is no model {model_id}")
            found = [version_from_row(version) for version in await connection.execute(versions)]
        return ModelView(model=model_from_row(row), versions=found)

    async def champions(self, key: SeriesKey) -> Sequence[ModelVersion]:
        marks = await fetch(self._engine, _CHAMPIONS, key.symbol, key.timeframe)
        return [await self._read_once(ModelVersionId(id_), row_version) for id_, row_version in marks]

    async def _read_once(self, version_id: ModelVersionId, row_version: int) -> ModelVersion:
        known = self._known.get(version_id)
        if known is None or known.version != row_version:
            known = self._known[version_id] = await self.get_version(version_id)
        return known

    async def get_version(self, version_id: ModelVersionId) -> ModelVersion:
        async with statements(self._engine) as connection:
            row = (await connection.execute(select(model_versions).where(model_versions.c.id == version_id))).one_or_none()
        if row is None:
            raise ModelNotFound(f"there is no model version {version_id}")
        return version_from_row(row)

    async def find_forecast(self, key: SeriesKey, candle: datetime) -> Forecast | None:
        statement = select(forecasts).where(*_of_series(forecasts, key), forecasts.c.candle == candle)
        async with statements(self._engine) as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else forecast_from_row(row)

    async def get_forecast(self, forecast_id: ForecastId) -> Forecast:
        async with statements(self._engine) as connection:
            row = (await connection.execute(select(forecasts).where(forecasts.c.id == forecast_id))).one_or_none()
        if row is None:
            raise ForecastNotFound(f"there is no forecast {forecast_id}")
        return forecast_from_row(row)
