"""The TP/SL classifier of ml.md S6: trees with a calibrator, and a logistic companion that sees volatility only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xgboost as xgb

from adapters.xgboost import softmax
from adapters.xgboost.arrays import F32, F64, I8
from adapters.xgboost.baselines import har_columns
from adapters.xgboost.boosting import CLASSES, Grower, Growth, min_leaf_rows, predict
from adapters.xgboost.samples import CELLS, Samples
from tradingcore.ml.policies import Fold, thinning

C: Final = 1.0
SMALLEST: Final = 1e-6
CLASS_COUNT: Final = 3
TIME: Final = 2
MAX_TREE_ROWS: Final = 24_000
"""Candles that the trees learn from at most. Each gives a row per cell, so a profile's limit is halved here."""

QUESTION_COLUMNS: Final = 3
_QUESTIONS: Final = np.array([[cell.side, cell.k_take_profit, cell.k_stop_loss] for cell in CELLS], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class BarrierModel:
    """``companion`` and ``calibrator`` are coefficients of `softmax`; without ``trees`` the companion serves.

    ``mean_time`` is the mean return at time-out per cell, in units of s sqrt(h).
    """

    companion: F64
    trees: xgb.Booster | None
    calibrator: F64 | None
    mean_time: F64

    def probabilities(self, features: F32, atr: F64, scale: F64, columns: list[int]) -> F64:
        """Return P(TP), P(SL), P(TIME) per cell: (rows, cells, 3)."""
        if self.trees is None:
            chance = softmax.probabilities(companion_design(features, atr, scale, columns), self.companion)
        else:
            chance = predict(self.trees, tree_rows(features))
            if self.calibrator is not None:
                chance = softmax.probabilities(calibrator_design(chance), self.calibrator)
        return chance.reshape(len(features), len(CELLS), CLASS_COUNT)

    def uncalibrated(self) -> BarrierModel:
        return replace(self, calibrator=None)

    def without_trees(self) -> BarrierModel:
        return replace(self, trees=None, calibrator=None)


def tree_rows(features: F32) -> F32:
    """Every row once per cell, with side, k_tp and k_sl appended: (rows x cells, columns + 3)."""
    rows, width = features.shape
    result = np.empty((rows, len(CELLS), width + QUESTION_COLUMNS), dtype=np.float32)
    result[:, :, :width] = features[:, None, :]
    result[:, :, width:] = _QUESTIONS
    return result.reshape(rows * len(CELLS), -1)


def calibrator_design(chance: F64) -> F64:
    return np.concatenate([np.log(np.maximum(chance, SMALLEST)), np.ones((len(chance), 1))], axis=1)


def companion_design(features: F32, atr: F64, scale: F64, columns: list[int]) -> F64:
    """Volatility and time of day, once for each pair of barriers, and the side: (rows x cells, p)."""
    har = np.maximum(features[:, columns].astype(np.float64), SMALLEST)
    volatility = np.column_stack([np.log(har[:, :6]), np.log(atr / scale), np.log(scale)])
    blocks = []
    for cell in CELLS:
        wide = float(cell.k_take_profit != cell.k_stop_loss)
        side = np.full((len(har), 1), float(cell.side))
        one = np.ones((len(har), 1))
        blocks.append(np.concatenate([volatility, wide * volatility, wide * one, side, side * wide, one], axis=1))
    return np.stack(blocks, axis=1).reshape(len(har) * len(CELLS), -1)


def fit_barrier_model(samples: Samples, fold: Fold, growth: Growth, *, max_tree_rows: int | None) -> BarrierModel:
    """Fit trees, calibrator and companion on the slices of a fold."""
    columns = har_columns(samples.spec.names)
    at_most = min(MAX_TREE_ROWS, max_tree_rows // 2 if max_tree_rows else MAX_TREE_ROWS)
    step = thinning(samples.spec.horizon, rows=len(fold.fit), at_most=at_most)
    fit, early_stop = slice(fold.fit.start, fold.fit.stop, step), slice(fold.early_stop.start, fold.early_stop.stop, step)
    grower = Grower(
        tree_rows(samples.features[fit]),
        tree_rows(samples.features[early_stop]),
        growth,
        min_leaf_rows=min_leaf_rows(samples.spec.horizon, stride=step),
    )
    trees = grower.grow(
        CLASSES, samples.labels[fit].ravel().astype(np.float64), samples.labels[early_stop].ravel().astype(np.float64)
    )

    calibrate = slice(fold.calibrate.start, fold.calibrate.stop)
    chance = predict(trees, tree_rows(samples.features[calibrate]))
    calibrator = softmax.fit(calibrator_design(chance), samples.labels[calibrate].ravel(), c=C)

    before = slice(fold.fit.start, fold.early_stop.stop, step)
    design = companion_design(samples.features[before], samples.atr[before], samples.scale[before], columns)
    companion = softmax.fit(design, samples.labels[before].ravel(), c=C)
    return BarrierModel(companion, trees, calibrator, _mean_time_returns(samples, fold))


def base_rates(labels: I8) -> F64:
    """Share of each class per cell: (cells, 3)."""
    return np.stack([(labels == outcome).mean(axis=0) for outcome in range(CLASS_COUNT)], axis=1)


def _mean_time_returns(samples: Samples, fold: Fold) -> F64:
    rows = slice(fold.train.start, fold.train.stop)
    unit = samples.scale[rows] * np.sqrt(samples.spec.horizon)
    timed_out = samples.labels[rows] == TIME
    returns = np.where(timed_out, samples.realised[rows] / unit[:, None], 0.0)
    return np.asarray(returns.sum(axis=0) / np.maximum(timed_out.sum(axis=0), 1))
