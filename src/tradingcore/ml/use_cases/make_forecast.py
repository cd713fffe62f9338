"""From a closed candle to a stored forecast."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission, TraceId
from tradingcore.kernel.errors import InvalidInput, StaleVersion
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.errors import BlobNotFound, BundleRefused, NotEnoughHistory
from tradingcore.ml.events import ForecastMade, ForecastNotMade
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.features import FeatureRow
from tradingcore.ml.model.forecast import Forecast, ForecastFault
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import FeatureCalculator, MarketHistory, MlUnitOfWork, ServedModel, ServedModels


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeForecastCommand:
    key: SeriesKey
    candle: Candle
    received_at: datetime
    source: str
    missing_candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeForecast(UseCase[MakeForecastCommand, Forecast | None]):
    """Compute features over the candles up to this one, ask every approved model, store the forecast and announce it.

    Returns ``None``, and announces why, when no forecast can be made. For a candle that has a forecast it does nothing.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[MlUnitOfWork]
    history: MarketHistory
    features: FeatureCalculator
    models: ServedModels
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: MakeForecastCommand) -> Forecast | None:
        try:
            served = await self.models.champions(command.key)
            if not served:
                return await self._give_up(
                    actor, command, ForecastFault.MODEL_NOT_APPROVED, f"no model of {command.key} is approved"
                )
            window = await forecast_window(self.history, command.key, command.candle.open_time, served)
            forecast = compute_forecast(
                served,
                self.features,
                window,
                key=command.key,
                id=ForecastId(self.ids.new_id()),
                made_at=self.clock.now(),
                trace_id=actor.trace_id,
            )
        except NotEnoughHistory as error:
            return await self._give_up(actor, command, ForecastFault.NOT_ENOUGH_HISTORY, str(error))
        except (BundleRefused, BlobNotFound, InvalidInput) as error:
            # InvalidInput: the model does not fit the features, or what it says are no numbers. Trying again would not help.
            return await self._give_up(actor, command, ForecastFault.MODEL_UNUSABLE, str(error))
        event = ForecastMade(
            occurred_at=command.received_at,
            symbol=command.key.symbol,
            timeframe=command.key.timeframe,
            candle=command.candle,
            source=command.source,
            missing_candles=command.missing_candles,
            forecast_id=forecast.id,
            feature_hash=forecast.feature_hash,
            data_first=forecast.data_first,
            data_last=forecast.data_last,
            horizons=forecast.horizons,
        )
        try:
            async with self.uow(actor) as unit:
                return await unit.forecasts.save(forecast.announcing(event))
        except StaleVersion:
            return None  # Another worker was first; its forecast stands and was announced with it.

    async def _give_up(self, actor: Actor, command: MakeForecastCommand, fault: ForecastFault, detail: str) -> Forecast | None:
        async with self.uow(actor) as unit:
            await unit.forecasts.announce(
                ForecastNotMade(
                    occurred_at=command.received_at,
                    symbol=command.key.symbol,
                    timeframe=command.key.timeframe,
                    candle=command.candle,
                    source=command.source,
                    missing_candles=command.missing_candles,
                    fault=fault,
                    detail=detail,
                )
            )
        return None


async def forecast_window(
    history: MarketHistory, key: SeriesKey, candle: datetime, served: Sequence[tuple[ModelVersion, ServedModel]]
) -> CandleSeries:
    """The candles that a forecast is a function of: exactly the longest ``w_max`` of its models, ending with ``candle``."""
    needed = max(model.spec.w_max for _, model in served)
    window = await history.window(key, last=candle, count=needed)
    if len(window) < needed:
        raise NotEnoughHistory(f"{key} has {len(window)} candles up to {candle.isoformat()}, its models need {needed}")
    return window


def compute_forecast(
    served: Sequence[tuple[ModelVersion, ServedModel]],
    features: FeatureCalculator,
    window: CandleSeries,
    *,
    key: SeriesKey,
    id: ForecastId,  # noqa: A002 - the field's name
    made_at: datetime,
    trace_id: TraceId,
) -> Forecast:
    """The forecast for the last candle of ``window``: the one piece of code behind serving, on-demand forecasts and `explain`."""
    rows = features.window(window, [model.spec for _, model in served])
    return Forecast(
        id=id,
        symbol=key.symbol,
        timeframe=key.timeframe,
        candle=window.last_open_time,
        made_at=made_at,
        close=rows[0].close,
        atr=rows[0].atr,
        feature_hash=combined_hash(rows),
        data_first=window.first_open_time,
        data_last=window.last_open_time,
        horizons=tuple(model.predict(row) for (_, model), row in zip(served, rows, strict=True)),
        rows=tuple(row.values.tobytes() for row in rows),
        trace_id=trace_id,
    )


def combined_hash(rows: Sequence[FeatureRow]) -> str:
    """SHA-256 over the hashes of the rows, shortest horizon first."""
    return hashlib.sha256("".join(row.hash for row in rows).encode()).hexdigest()
