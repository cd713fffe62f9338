"""Compute a stored forecast again and compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.codec import encode
from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.errors import NotEnoughHistory
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.ports import FeatureCalculator, MarketHistory, ServedModels
from tradingcore.ml.queries import MlQueries
from tradingcore.ml.use_cases.make_forecast import compute_forecast, forecast_window


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainForecastCommand:
    forecast_id: ForecastId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainForecastResult:
    """``recomputed`` is what stored candles and models give now; ``mismatches`` is empty when that is the stored forecast."""

    recomputed: Forecast
    mismatches: tuple[str, ...]
    features: tuple[Mapping[str, float], ...]
    lineage: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainForecast(UseCase[ExplainForecastCommand, ExplainForecastResult]):
    """Raises `ForecastNotFound`, and `Unavailable` when the candles or the models behind it are gone."""

    permission: ClassVar[Permission] = Permission.SIGNALS_READ
    queries: MlQueries
    history: MarketHistory
    features: FeatureCalculator
    models: ServedModels

    async def handle(self, actor: Actor, command: ExplainForecastCommand) -> ExplainForecastResult:
        stored = await self.queries.get_forecast(command.forecast_id)
        key = SeriesKey(stored.symbol, stored.timeframe)
        served = [await self.models.version(horizon.model_version_id) for horizon in stored.horizons]
        try:
            window = await forecast_window(self.history, key, stored.candle, served)
        except NotEnoughHistory as error:
            raise Unavailable(f"the candles behind forecast {stored.id} are gone: {error}") from error
        recomputed = compute_forecast(
            served,
            self.features,
            window,
            key=key,
            id=stored.id,
            made_at=stored.made_at,
            trace_id=stored.trace_id,
        )
        rows = [memoryview(row).cast("f") for row in recomputed.rows]
        bundles = ", ".join(version.bundle_sha256 for version, _ in served)
        return ExplainForecastResult(
            recomputed=recomputed,
            mismatches=tuple(_differences(_comparable(stored), _comparable(recomputed), "forecast")),
            features=tuple(dict(zip(model.spec.names, row, strict=True)) for (_, model), row in zip(served, rows, strict=True)),
            lineage={
                "forecast_id": str(stored.id),
                "bundle_sha256": bundles,
                "feature_spec_hash": ", ".join(version.feature_spec_hash for version, _ in served),
                "feature_hash": recomputed.feature_hash,
                "data_first": stored.data_first.isoformat(),
                "data_last": stored.data_last.isoformat(),
                "training_data_hash": ", ".join(version.data_hash for version, _ in served),
                "code_version": ", ".join(version.code_version for version, _ in served),
            },
        )


def _comparable(forecast: Forecast) -> dict[str, Any]:
    return {
        "close": forecast.close,
        "atr": forecast.atr,
        "feature_hash": forecast.feature_hash,
        "data_first": forecast.data_first.isoformat(),
        "horizons": [encode(horizon) for horizon in forecast.horizons],
    }


def _differences(stored: Any, again: Any, path: str) -> Iterator[str]:
    if isinstance(stored, dict):
        for name in stored:
            yield from _differences(stored[name], again[name], f"{path}.{name}")
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (left, right) in enumerate(zip(stored, again, strict=True)):
            yield from _differences(left, right, f"{path}.{index}")
    elif stored != again:
        yield f"{path}: stored {stored}, recomputed {again}"
