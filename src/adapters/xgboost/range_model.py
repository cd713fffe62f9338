"""The range predictor of ml.md S5: HAR-W and trees averaged, then conformalised quantiles.

CQR: Romano, Patterson, Candes, "Conformalized Quantile Regression", NeurIPS 2019, with a correction per side of the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import xgboost as xgb

from adapters.xgboost.arrays import F32, F64
from adapters.xgboost.baselines import WINSOR, HarW, RangeForecast, har_columns, har_w_design
from adapters.xgboost.boosting import MEAN, QUANTILES, Grower, predict
from adapters.xgboost.samples import Samples
from tradingcore.ml.policies import Fold

INTERVAL_LEVEL: Final = 0.8
MISS_PER_SIDE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Offsets:
    """What the outer quantiles are moved by, in ATR: ``q10 - lower``, ``q90 + upper``. Negative values narrow the interval.

    Static for now. An adaptive state (ml.md S8) replaces the two numbers after each resolved label.
    """

    lower: float
    upper: float

    @classmethod
    def conformal(cls, forecast: RangeForecast, delta: F64, atr: F64) -> Offsets:
        return cls(
            _conformal_quantile((forecast.quantiles[:, 0] - delta) / atr),
            _conformal_quantile((delta - forecast.quantiles[:, 2]) / atr),
        )

    def apply(self, forecast: RangeForecast, atr: F64) -> RangeForecast:
        moved = forecast.quantiles + atr[:, None] * np.array([-self.lower, 0.0, self.upper])
        return RangeForecast(np.sort(moved, axis=1), forecast.mean)


@dataclass(frozen=True, slots=True, eq=False)
class RangeTrees:
    """Trees on delta / ATR: three quantiles and the mean; and quantiles on delta / HAR-W scale."""

    quantiles: xgb.Booster
    mean: xgb.Booster
    har_quantiles: xgb.Booster


@dataclass(frozen=True, slots=True, eq=False)
class RangeModel:
    """One side. Without ``trees`` it is HAR-W."""

    har: HarW
    trees: RangeTrees | None
    offsets: Offsets

    def forecast(self, features: F32, design: F64, atr: F64) -> RangeForecast:
        return self.offsets.apply(raw_forecast(self.har, self.trees, features, design, atr), atr)


def raw_forecast(har: HarW, trees: RangeTrees | None, features: F32, design: F64, atr: F64) -> RangeForecast:
    scale = har.scale(design, atr)
    linear = har.forecast(scale)
    if trees is None:
        return linear
    on_atr = atr[:, None] * predict(trees.quantiles, features)
    on_har = scale[:, None] * predict(trees.har_quantiles, features)
    return RangeForecast(
        (linear.quantiles + on_atr + on_har) / 3,
        (linear.mean + atr * predict(trees.mean, features)) / 2,
    )


def fit_range_models(samples: Samples, side: str, fold: Fold, grower: Grower, *, stride: int) -> tuple[RangeModel, RangeModel]:
    """Return the ensemble and HAR-W alone, both calibrated on the fold's last slice."""
    delta, atr = samples.deltas[side], samples.atr
    design = har_w_design(samples.features, har_columns(samples.spec.names))
    before_calibration = slice(fold.fit.start, fold.early_stop.stop)
    har = HarW.fit(design[before_calibration], atr[before_calibration], delta[before_calibration])

    fit, early_stop = slice(fold.fit.start, fold.fit.stop, stride), slice(fold.early_stop.start, fold.early_stop.stop)
    on_atr = _winsorised(delta / atr, fit)
    on_har = _winsorised(delta / har.scale(design, atr), fit)
    trees = RangeTrees(
        quantiles=grower.grow(QUANTILES, on_atr[fit], on_atr[early_stop]),
        mean=grower.grow(MEAN, on_atr[fit], on_atr[early_stop]),
        har_quantiles=grower.grow(QUANTILES, on_har[fit], on_har[early_stop]),
    )

    rows = slice(fold.calibrate.start, fold.calibrate.stop)

    def calibrated(grown: RangeTrees | None) -> RangeModel:
        forecast = raw_forecast(har, grown, samples.features[rows], design[rows], atr[rows])
        return RangeModel(har, grown, Offsets.conformal(forecast, delta[rows], atr[rows]))

    return calibrated(trees), calibrated(None)


def _winsorised(target: F64, fit: slice) -> F64:
    return np.minimum(target, np.quantile(target[fit], WINSOR))


def _conformal_quantile(scores: F64) -> float:
    level = min(1.0, np.ceil((len(scores) + 1) * (1 - MISS_PER_SIDE)) / len(scores))
    return float(np.quantile(scores, level, method="higher"))
