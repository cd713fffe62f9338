"""A forecast for any stored candle, when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import InvalidInput, NotFound
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.ports import Clock, IdGenerator
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.errors import HorizonNotServed, ModelNotFound
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.ports import FeatureCalculator, MarketHistory, ServedModels
from tradingcore.ml.queries import MlQueries
from tradingcore.ml.use_cases.make_forecast import compute_forecast, forecast_window


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOnDemandCommand:
    """``at`` is the open time of the decision candle; ``None`` for the newest stored one. ``horizon`` narrows to one."""

    key: SeriesKey
    at: datetime | None = None
    horizon: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOnDemandResult:
    forecast: Forecast
    is_stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOnDemand(UseCase[PredictOnDemandCommand, PredictOnDemandResult]):
    """Return the stored forecast of the candle, else compute one without storing it.

    Raises `NotFound` for an unknown symbol or candle, `ModelNotFound`, `HorizonNotServed`, `NotEnoughHistory`.
    """

    permission: ClassVar[Permission] = Permission.FORECASTS_CREATE
    queries: MlQueries
    history: MarketHistory
    features: FeatureCalculator
    models: ServedModels
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: PredictOnDemandCommand) -> PredictOnDemandResult:
        key = command.key
        await self.history.profile(key)
        if command.at is not None and not key.timeframe.is_aligned(command.at):
            raise InvalidInput(f"{command.at.isoformat()} is not the open time of a {key.timeframe.value} candle")
        newest = await self.history.window(key, last=command.at or self.clock.now(), count=1)
        if not len(newest) or (command.at is not None and newest.last_open_time != command.at):
            wanted = command.at.isoformat() if command.at is not None else "now"
            raise NotFound(f"no candle of {key} is stored for {wanted}")
        candle = newest.last_open_time
        stored = await self.queries.find_forecast(key, candle)
        if stored is not None and (command.horizon is None or any(item.horizon == command.horizon for item in stored.horizons)):
            return PredictOnDemandResult(forecast=stored, is_stored=True)
        served = await self.models.champions(key)
        if not served:
            raise ModelNotFound(f"no model of {key} is approved: train one with `tradingcore ml train`")
        if command.horizon is not None:
            known = ", ".join(str(version.horizon) for version, _ in served)
            served = [pair for pair in served if pair[0].horizon == command.horizon]
            if not served:
                raise HorizonNotServed(f"no model of {key} has horizon {command.horizon}; there are: {known}")
        window = await forecast_window(self.history, key, candle, served)
        forecast = compute_forecast(
            served,
            self.features,
            window,
            key=key,
            id=ForecastId(self.ids.new_id()),
            made_at=self.clock.now(),
            trace_id=actor.trace_id,
        )
        return PredictOnDemandResult(forecast=forecast, is_stored=False)
