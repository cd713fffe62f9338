from __future__ import annotations

from collections.abc import Mapping
from math import exp, isfinite
from typing import Any

from entrypoints.http.schemas.ml import (
    BarrierBody,
    FoldBody,
    HorizonBody,
    ModelBody,
    ModelDetailBody,
    PredictionBody,
    QuantilesBody,
    SpanBody,
    VerdictBody,
    VersionBody,
    VersionDetailBody,
)
from tradingcore.ml.model.forecast import BarrierForecast, HorizonForecast, Quantiles
from tradingcore.ml.model.model_version import FoldRecord, ModelVersion
from tradingcore.ml.model.verdict import verdict_on
from tradingcore.ml.queries import ModelView
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemandResult
from tradingcore.processes.wire import rfc3339
from tradingcore.trading.model.outlook import Side


def model_body(view: ModelView) -> ModelBody:
    model, champion = view.model, view.champion
    return ModelBody(
        id=str(model.id),
        symbol=model.symbol,
        timeframe=model.timeframe,
        horizon=model.horizon,
        created_at=rfc3339(model.created_at),
        champion=None if champion is None else VersionBody(**_version_fields(champion, is_champion=True)),
    )


def model_detail_body(view: ModelView) -> ModelDetailBody:
    model = view.model
    return ModelDetailBody(
        id=str(model.id),
        symbol=model.symbol,
        timeframe=model.timeframe,
        horizon=model.horizon,
        created_at=rfc3339(model.created_at),
        versions=[_version_detail(version, is_champion=version.id == model.champion_id) for version in view.versions],
    )


def _version_detail(version: ModelVersion, *, is_champion: bool) -> VersionDetailBody:
    return VersionDetailBody(
        **_version_fields(version, is_champion=is_champion),
        metrics=_numbers(version.evaluation.metrics),
        features=list(version.feature_names),
        feature_spec_hash=version.feature_spec_hash,
        data_hash=version.data_hash,
        code_version=version.code_version,
        seed=version.seed,
        fold_records=[_fold(record) for record in version.folds],
    )


def _version_fields(version: ModelVersion, *, is_champion: bool) -> dict[str, Any]:
    evaluation = version.evaluation
    verdict = verdict_on(evaluation)
    return {
        "id": str(version.id),
        "number": version.number,
        "label": version.label,
        "is_champion": is_champion,
        "state": version.state,
        "created_at": rfc3339(version.created_at),
        "profile": version.profile,
        "verdict": VerdictBody(
            sentence=verdict.sentence,
            beats=list(verdict.beats),
            level_with=list(verdict.level_with),
            does_not_beat=list(verdict.does_not_beat),
            not_measured=list(verdict.not_measured),
        ),
        "skill": _numbers(evaluation.skill),
        "coverage": evaluation.coverage,
        "folds": evaluation.folds,
        "test_rows": evaluation.test_rows,
        "data": SpanBody(first=rfc3339(version.data_first), last=rfc3339(version.data_last)),
        "bundle_sha256": version.bundle_sha256,
    }


def _numbers(figures: Mapping[str, float]) -> dict[str, float | None]:
    # JSON has no number for what could not be measured.
    return {name: value if isfinite(value) else None for name, value in figures.items()}


def _fold(record: FoldRecord) -> FoldBody:
    return FoldBody(
        index=record.index,
        train=SpanBody(first=rfc3339(record.train_first), last=rfc3339(record.train_last)),
        test=SpanBody(first=rfc3339(record.test_first), last=rfc3339(record.test_last)),
        train_rows=record.train_rows,
        test_rows=record.test_rows,
        seed=record.seed,
        best_iterations=_numbers(record.best_iterations),
        metrics=_numbers(record.metrics),
        seconds=record.seconds,
    )


def prediction_body(result: PredictOnDemandResult, *, horizon: int | None) -> PredictionBody:
    """``horizon`` narrows a stored forecast, which holds all of them, to the one that was asked for."""
    forecast = result.forecast
    return PredictionBody(
        id=str(forecast.id),
        is_stored=result.is_stored,
        symbol=forecast.symbol,
        timeframe=forecast.timeframe,
        candle=rfc3339(forecast.candle),
        made_at=rfc3339(forecast.made_at),
        close=forecast.close,
        atr=forecast.atr,
        horizons=[_horizon(item, forecast.close) for item in forecast.horizons if horizon in (None, item.horizon)],
        feature_hash=forecast.feature_hash,
        data=SpanBody(first=rfc3339(forecast.data_first), last=rfc3339(forecast.data_last)),
        trace_id=forecast.trace_id,
    )


def _horizon(item: HorizonForecast, close: float) -> HorizonBody:
    return HorizonBody(
        horizon=item.horizon,
        model_version=item.model_version,
        model_version_id=str(item.model_version_id),
        bundle_sha256=item.bundle_sha256,
        delta_high=_quantiles(item.delta_high),
        delta_low=_quantiles(item.delta_low),
        high=_levels(item.delta_high, close, 1),
        low=_levels(item.delta_low, close, -1),
        mean_high=item.mean_high,
        mean_low=item.mean_low,
        unit=item.unit,
        barriers=[_barrier(barrier) for barrier in item.barriers],
        interval_level=item.interval_level,
        interval_coverage=item.interval_coverage,
        sample_size=item.sample_size,
        served_by=item.served_by,
        is_out_of_distribution=item.is_out_of_distribution,
    )


def _quantiles(quantiles: Quantiles) -> QuantilesBody:
    return QuantilesBody(low=quantiles.low, median=quantiles.median, high=quantiles.high)


def _levels(quantiles: Quantiles, close: float, direction: int) -> QuantilesBody:
    # A delta below zero (after a gap) is shown as the close; quantiles of a low turn round when they become prices.
    prices = sorted(close * exp(direction * max(0.0, delta)) for delta in (quantiles.low, quantiles.median, quantiles.high))
    return QuantilesBody(low=prices[0], median=prices[1], high=prices[2])


def _barrier(barrier: BarrierForecast) -> BarrierBody:
    return BarrierBody(
        side=Side.LONG if barrier.side > 0 else Side.SHORT,
        k_take_profit=barrier.k_take_profit,
        k_stop_loss=barrier.k_stop_loss,
        p_take_profit=barrier.p_take_profit,
        p_stop_loss=barrier.p_stop_loss,
        p_time=barrier.p_time,
        mean_time_return=barrier.mean_time_return,
    )
