from __future__ import annotations

from typing import Any

import numpy as np
import xgboost as xgb

from adapters.xgboost.arrays import F32, F64, SIDES
from adapters.xgboost.baselines import har_columns, har_w_design
from adapters.xgboost.bundle import FittedModel, from_bundle
from adapters.xgboost.range_model import INTERVAL_LEVEL
from adapters.xgboost.samples import CELLS
from tradingcore.ml.errors import BundleRefused, FeatureSpecMismatch
from tradingcore.ml.model.bundle import Bundle, open_bundle
from tradingcore.ml.model.features import FeatureRow, FeatureSpec
from tradingcore.ml.model.forecast import BarrierForecast, HorizonForecast, Quantiles
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import FeatureCalculator, ModelLoader, ServedModel


class XgboostModelLoader(ModelLoader):
    """Loads what `XgboostModelTrainer` makes, after every check of `open_bundle`."""

    def __init__(self, features: FeatureCalculator) -> None:
        self._features = features

    def load(self, bundle: bytes, version: ModelVersion) -> XgboostServedModel:
        opened = open_bundle(bundle, digest=version.bundle_sha256, library_version=xgb.__version__, knows=self._features.knows)
        if opened.spec.hash != version.feature_spec_hash or opened.spec.horizon != version.horizon:
            raise BundleRefused(f"bundle {version.bundle_sha256[:12]}: its features or horizon are not those of {version.label}")
        try:
            return XgboostServedModel(opened, version)
        except (KeyError, TypeError, ValueError, AttributeError, xgb.core.XGBoostError) as error:
            raise BundleRefused(f"bundle {version.bundle_sha256[:12]}: its models cannot be read ({error})") from error


class XgboostServedModel(ServedModel):
    """Warm boosters of one version. Predicts one row on the calling thread; safe to share between threads."""

    def __init__(self, bundle: Bundle, version: ModelVersion) -> None:
        self._model: FittedModel = from_bundle(bundle)
        self._spec = bundle.spec
        self._version = version
        self._columns = har_columns(bundle.spec.names)
        metrics: dict[str, Any] = bundle.json("metrics.json")
        self._coverage: float = metrics["coverage"]
        self._test_rows: int = metrics["test_rows"]
        self._served_by: str = bundle.kinds["range"]
        # The first prediction of a booster sets it up; nobody should wait for that at a candle's close.
        self._forecast(np.zeros((1, len(bundle.spec.names)), dtype=np.float32), np.ones(1), np.ones(1))

    @property
    def spec(self) -> FeatureSpec:
        return self._spec

    def predict(self, row: FeatureRow) -> HorizonForecast:
        if row.spec is not self._spec and row.spec.hash != self._spec.hash:
            raise FeatureSpecMismatch(
                f"{self._version.label} needs features of spec {self._spec.hash[:12]}, got {row.spec.hash[:12]}"
            )
        features = np.asarray(row.values, dtype=np.float32).reshape(1, -1)
        return self._forecast(features, np.array([row.atr]), np.array([row.scale]))

    def _forecast(self, features: F32, atr: F64, scale: F64) -> HorizonForecast:
        model, version = self._model, self._version
        design = har_w_design(features, self._columns)
        ranges = {side: model.ranges[side].forecast(features, design, atr) for side in SIDES}
        chances = model.barrier.probabilities(features, atr, scale, self._columns)[0].tolist()
        unit = float(scale[0]) * self._spec.horizon**0.5
        return HorizonForecast(
            horizon=self._spec.horizon,
            model_version_id=version.id,
            model_version=version.label,
            bundle_sha256=version.bundle_sha256,
            delta_high=Quantiles(*ranges["high"].quantiles[0].tolist()),
            delta_low=Quantiles(*ranges["low"].quantiles[0].tolist()),
            mean_high=float(ranges["high"].mean[0]),
            mean_low=float(ranges["low"].mean[0]),
            unit=unit,
            barriers=tuple(
                BarrierForecast(
                    side=cell.side,
                    k_take_profit=cell.k_take_profit,
                    k_stop_loss=cell.k_stop_loss,
                    p_take_profit=chance[0],
                    p_stop_loss=chance[1],
                    p_time=chance[2],
                    mean_time_return=mean_time * unit,
                )
                for cell, chance, mean_time in zip(CELLS, chances, model.barrier.mean_time.tolist(), strict=True)
            ),
            interval_level=INTERVAL_LEVEL,
            interval_coverage=self._coverage,
            sample_size=self._test_rows,
            served_by=self._served_by,
            is_out_of_distribution=model.reference.is_outside(features),
        )
