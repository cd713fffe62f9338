"""Features and models that are quick, deterministic and simple enough to follow by hand, behind the ports of the ml context."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tradingcore.kernel.errors import TradingCoreError
from tradingcore.kernel.market import Calendar, CandleSeries, SeriesKey, Timeframe
from tradingcore.ml.errors import BundleRefused, ModelNotFound, NotEnoughHistory
from tradingcore.ml.ids import ModelVersionId
from tradingcore.ml.model.features import FeatureMatrix, FeatureRow, FeatureSpec, SeriesProfile
from tradingcore.ml.model.forecast import BarrierForecast, HorizonForecast, Quantiles
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.ml.ports import (
    FeatureCalculator,
    MlUnitOfWork,
    ModelLoader,
    ModelTrainer,
    ServedModel,
    ServedModels,
    TrainedModel,
    TrainingProgress,
    TrainingRequest,
)
from tradingcore.testing.builders import a_fold_record, an_evaluation

W_MAX = 3
NOT_A_BUNDLE = b"one byte changed"


def a_spec(horizon: int = 4, *, w_max: int = W_MAX) -> FeatureSpec:
    return FeatureSpec(
        names=("sum_of_closes", "last_range"),
        w_max=w_max,
        horizon=horizon,
        timeframe=Timeframe.H1,
        calendar=Calendar.ALWAYS,
        kernel_version="stand-in",
        constants=(("horizon", float(horizon)),),
    )


class SumFeatures(FeatureCalculator):
    """The sum of the last ``w_max`` closes and the last range: every candle of the window counts."""

    def spec(self, profile: SeriesProfile, *, horizon: int, has_volume: bool) -> FeatureSpec:
        return a_spec(horizon)

    def knows(self, spec: FeatureSpec) -> bool:
        return spec.kernel_version == "stand-in"

    def warm_up(self) -> None:
        pass

    def window(self, candles: CandleSeries, specs: Sequence[FeatureSpec]) -> Sequence[FeatureRow]:
        return [self._row(candles, spec) for spec in specs]

    def _row(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureRow:
        if len(candles) < spec.w_max:
            raise NotEnoughHistory(f"{len(candles)} candles, {spec.w_max} are needed")
        last = candles[len(candles) - 1]
        values = array("f", [sum(candles.close[-spec.w_max :]), last.high - last.low])
        return FeatureRow(
            spec=spec,
            open_time_ms=candles.open_times[-1],
            values=memoryview(values).toreadonly(),
            close=last.close,
            atr=0.01,
            scale=0.01,
        )

    def matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        raise AssertionError("nothing here trains on it")


@dataclass
class HopefulModel(ServedModel):
    """Sees an edge on the long side of every candle: a signal each, unless ``p_take_profit`` is lowered."""

    version: ModelVersion
    p_take_profit: float = 0.6
    is_out_of_distribution: bool = False
    w_max: int = W_MAX

    @property
    def spec(self) -> FeatureSpec:
        return a_spec(self.version.horizon, w_max=self.w_max)

    def predict(self, row: FeatureRow) -> HorizonForecast:
        swing = row.values[1] / row.close
        barrier = BarrierForecast(
            side=1,
            k_take_profit=2.0,
            k_stop_loss=1.0,
            p_take_profit=self.p_take_profit,
            p_stop_loss=0.2,
            p_time=0.2,
            mean_time_return=0.0,
        )
        return HorizonForecast(
            horizon=self.version.horizon,
            model_version_id=self.version.id,
            model_version=self.version.label,
            bundle_sha256=self.version.bundle_sha256,
            delta_high=Quantiles(swing, 3 * swing, 5 * swing),
            delta_low=Quantiles(swing, 2 * swing, 3 * swing),
            mean_high=3 * swing,
            mean_low=2 * swing,
            unit=0.01,
            barriers=(barrier,),
            interval_level=0.8,
            interval_coverage=0.79,
            sample_size=1_234,
            served_by="har_w",
            is_out_of_distribution=self.is_out_of_distribution,
        )


@dataclass
class ChosenModels(ServedModels):
    """Serves what a test put in; ``fault`` is raised instead."""

    served: list[HopefulModel] = field(default_factory=list)
    retired: list[HopefulModel] = field(default_factory=list)
    fault: TradingCoreError | None = None

    async def champions(self, key: SeriesKey) -> Sequence[tuple[ModelVersion, ServedModel]]:
        if self.fault is not None:
            raise self.fault
        return [(model.version, model) for model in sorted(self.served, key=lambda one: one.version.horizon)]

    async def version(self, version_id: ModelVersionId) -> tuple[ModelVersion, ServedModel]:
        for model in [*self.served, *self.retired]:
            if model.version.id == version_id:
                return model.version, model
        raise ModelNotFound(f"there is no model version {version_id}")


class HopefulLoader(ModelLoader):
    """Loads any bundle but `NOT_A_BUNDLE`; counts how often."""

    def __init__(self) -> None:
        self.loaded: list[ModelVersionId] = []

    def load(self, bundle: bytes, version: ModelVersion) -> ServedModel:
        if bundle == NOT_A_BUNDLE:
            raise BundleRefused(f"the bundle of {version.label} is not what was trained")
        self.loaded.append(version.id)
        return HopefulModel(version)


class QuickTrainer(ModelTrainer):
    """Learns nothing at once; its bundle names what it was asked."""

    def __init__(self, *, bundle: bytes | None = None) -> None:
        self.requests: list[TrainingRequest] = []
        self.candles: list[CandleSeries] = []
        self._bundle = bundle

    async def train(self, request: TrainingRequest, candles: CandleSeries, progress: TrainingProgress) -> TrainedModel:
        self.requests.append(request)
        self.candles.append(candles)
        progress.advanced(request.profile.key, horizon=request.horizon, step="trained", done=1, total=1)
        return TrainedModel(
            bundle=self._bundle or f"{request.profile.key}:{request.horizon}:{request.seed}:{len(candles)}".encode(),
            spec=a_spec(request.horizon),
            evaluation=an_evaluation(),
            folds=(a_fold_record(),),
            data_hash=hashlib.sha256(candles.close.tobytes()).hexdigest(),
        )


async def crowned(unit: MlUnitOfWork, model: Model, version: ModelVersion) -> ModelVersion:
    """Store a model with ``version`` as its champion."""
    saved = await unit.models.save(model)
    added = await unit.models.add_version(version)
    await unit.models.save(replace(saved, champion_id=version.id))
    return added
