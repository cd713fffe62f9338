from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from tradingcore.kernel.codec import decode, encode
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.ml.model.forecast import Forecast, HorizonForecast
from tradingcore.ml.model.model_version import Evaluation, FoldRecord, Model, ModelVersion, VersionState


def model_to_row(model: Model) -> dict[str, Any]:
    """The champion is an alias of its own."""
    return {
        "id": model.id,
        "symbol": model.symbol,
        "timeframe": model.timeframe,
        "horizon": model.horizon,
        "created_at": model.created_at,
    }


def model_from_row(row: Row[Any]) -> Model:
    """``row`` carries ``champion_id`` beside the columns of the model."""
    return Model(
        version=row.version,
        id=row.id,
        symbol=SymbolCode(row.symbol),
        timeframe=Timeframe(row.timeframe),
        horizon=row.horizon,
        created_at=row.created_at,
        champion_id=row.champion_id,
    )


def version_to_row(version: ModelVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "model_id": version.model_id,
        "symbol": version.symbol,
        "timeframe": version.timeframe,
        "horizon": version.horizon,
        "number": version.number,
        "created_at": version.created_at,
        "bundle_sha256": version.bundle_sha256,
        "feature_spec_hash": version.feature_spec_hash,
        "feature_names": list(version.feature_names),
        "data_hash": version.data_hash,
        "data_first": version.data_first,
        "data_last": version.data_last,
        "code_version": version.code_version,
        "seed": version.seed,
        "profile": version.profile,
        "evaluation": encode(version.evaluation),
        "folds": [encode(fold) for fold in version.folds],
        "state": version.state,
    }


def version_from_row(row: Row[Any]) -> ModelVersion:
    return ModelVersion(
        version=row.version,
        id=row.id,
        model_id=row.model_id,
        symbol=SymbolCode(row.symbol),
        timeframe=Timeframe(row.timeframe),
        horizon=row.horizon,
        number=row.number,
        created_at=row.created_at,
        bundle_sha256=row.bundle_sha256,
        feature_spec_hash=row.feature_spec_hash,
        feature_names=tuple(row.feature_names),
        data_hash=row.data_hash,
        data_first=row.data_first,
        data_last=row.data_last,
        code_version=row.code_version,
        seed=row.seed,
        profile=row.profile,
        evaluation=decode(Evaluation, row.evaluation),
        folds=tuple(decode(FoldRecord, fold) for fold in row.folds),
        state=VersionState(row.state),
    )


def forecast_to_row(forecast: Forecast) -> dict[str, Any]:
    return {
        "id": forecast.id,
        "symbol": forecast.symbol,
        "timeframe": forecast.timeframe,
        "candle": forecast.candle,
        "made_at": forecast.made_at,
        "close": forecast.close,
        "atr": forecast.atr,
        "feature_hash": forecast.feature_hash,
        "data_first": forecast.data_first,
        "data_last": forecast.data_last,
        "horizons": [encode(horizon) for horizon in forecast.horizons],
        "rows": list(forecast.rows),
        "trace_id": forecast.trace_id,
    }


def forecast_from_row(row: Row[Any]) -> Forecast:
    return Forecast(
        version=row.version,
        id=row.id,
        symbol=SymbolCode(row.symbol),
        timeframe=Timeframe(row.timeframe),
        candle=row.candle,
        made_at=row.made_at,
        close=row.close,
        atr=row.atr,
        feature_hash=row.feature_hash,
        data_first=row.data_first,
        data_last=row.data_last,
        horizons=tuple(decode(HorizonForecast, horizon) for horizon in row.horizons),
        rows=tuple(bytes(one) for one in row.rows),
        trace_id=row.trace_id,
    )
