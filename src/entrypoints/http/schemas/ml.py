from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from entrypoints.http.inputs import in_utc
from entrypoints.http.pages import PageInfo
from entrypoints.http.schemas.values import (
    HashText,
    IdText,
    Probability,
    Response,
    SeriesPageQuery,
    SymbolText,
    Time,
    TimeText,
    TraceText,
    number,
)
from tradingcore.kernel.market import SeriesKey, Timeframe, symbol_code
from tradingcore.ml.model.forecast import BarrierForecast, HorizonForecast, Quantiles
from tradingcore.ml.model.model_version import FoldRecord, ModelVersion, VersionState
from tradingcore.ml.model.verdict import verdict_on
from tradingcore.ml.queries import ModelView
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemandCommand, PredictOnDemandResult
from tradingcore.processes.wire import rfc3339
from tradingcore.trading.model.outlook import Side


class VerdictBody(Response):
    """What the figures say. ``sentence`` is fit to be shown to anybody; the lists name baselines."""

    sentence: str
    beats: list[str]
    level_with: list[str]
    does_not_beat: list[str]
    not_measured: list[str]


class SpanBody(Response):
    """Open times of the first and the last candle."""

    first: TimeText
    last: TimeText


class FoldBody(Response):
    """One fold of the purged walk-forward."""

    index: int
    train: SpanBody
    test: SpanBody
    train_rows: int
    test_rows: int
    seed: int
    best_iterations: dict[str, float | None]
    metrics: dict[str, float | None]
    seconds: float


class VersionBody(Response):
    """One trained version and how good it is. ``skill``: 0.12 is 12 % better than the baseline; out of sample."""

    id: IdText
    number: int
    label: str
    is_champion: bool
    state: VersionState
    created_at: TimeText
    profile: str
    verdict: VerdictBody
    skill: dict[str, float | None]
    coverage: float
    folds: int
    test_rows: int
    data: SpanBody
    bundle_sha256: HashText


class VersionDetailBody(VersionBody):
    """The same with every figure, the features, and the spans of each fold."""

    metrics: dict[str, float | None]
    features: list[str]
    feature_spec_hash: HashText
    data_hash: HashText
    code_version: str
    seed: int
    fold_records: list[FoldBody]


class ModelBody(Response):
    """A model: the range of one series over ``horizon`` candles. ``champion`` is the version that serves."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    horizon: int
    created_at: TimeText
    champion: VersionBody | None


class ModelPage(Response):
    data: list[ModelBody]
    page: PageInfo


class ModelDetailBody(Response):
    """A model with all its versions, newest first."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    horizon: int
    created_at: TimeText
    versions: list[VersionDetailBody]


class QuantilesBody(Response):
    """10 %, 50 % and 90 %."""

    low: float
    median: float
    high: float


class BarrierBody(Response):
    """Calibrated probabilities of one side and one pair of barriers, in units of ``unit``."""

    side: Side
    k_take_profit: float
    k_stop_loss: float
    p_take_profit: Probability
    p_stop_loss: Probability
    p_time: Probability
    mean_time_return: float


class HorizonBody(Response):
    """``delta_high`` and ``delta_low`` are log returns from the close; ``high`` and ``low`` the price levels that they mean."""

    horizon: int
    model_version: str
    model_version_id: IdText
    bundle_sha256: HashText
    delta_high: QuantilesBody
    delta_low: QuantilesBody
    high: QuantilesBody
    low: QuantilesBody
    mean_high: float
    mean_low: float
    unit: float
    barriers: list[BarrierBody]
    interval_level: Probability
    interval_coverage: Probability
    sample_size: int
    served_by: str
    is_out_of_distribution: bool


class PredictionBody(Response):
    """The forecast of one closed candle; ``is_stored`` says whether it is the one that decisions were made on."""

    id: IdText
    is_stored: bool
    symbol: SymbolText
    timeframe: Timeframe
    candle: TimeText
    made_at: TimeText
    close: float
    atr: float
    horizons: list[HorizonBody]
    feature_hash: HashText
    data: SpanBody
    trace_id: TraceText


class ModelQuery(SeriesPageQuery, kw_only=True):
    pass


class PredictionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    symbol: SymbolText
    timeframe: Timeframe
    at: Annotated[Time, Meta(description="open time of a stored candle; without it the newest")] | None = None
    horizon: Annotated[int, Meta(ge=1, le=500, description="candles ahead; without it every one that a model serves")] | None = None

    def command(self) -> PredictOnDemandCommand:
        return PredictOnDemandCommand(
            key=SeriesKey(symbol_code(self.symbol), self.timeframe), at=in_utc(self.at, "at"), horizon=self.horizon
        )


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
    return {name: number(value) for name, value in figures.items()}


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
