"""Runs the folds of a training: fits each on its window, forecasts its test rows, and keeps what evaluation needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.xgboost.arrays import F64, I8, SIDES
from adapters.xgboost.barrier_model import BarrierModel, base_rates, fit_barrier_model
from adapters.xgboost.baselines import RangeForecast, baseline_forecasts, har_columns, har_w_design
from adapters.xgboost.boosting import Grower, Growth, min_leaf_rows
from adapters.xgboost.range_model import RangeModel, fit_range_models
from adapters.xgboost.samples import CELLS, Samples
from tradingcore.ml.policies import Fold, thinning

ENSEMBLE = "ensemble"
HAR_W = "har_w"


@dataclass(frozen=True, slots=True, eq=False)
class FittedFold:
    """The models of one fold: range models by side, with trees and as HAR-W alone, and the barrier model."""

    ensembles: Mapping[str, RangeModel]
    har_w: Mapping[str, RangeModel]
    barrier: BarrierModel

    def best_iterations(self) -> dict[str, float]:
        rounds: dict[str, float] = {}
        for side, model in self.ensembles.items():
            assert model.trees is not None
            rounds[f"{side}_quantiles"] = model.trees.quantiles.num_boosted_rounds()
            rounds[f"{side}_mean"] = model.trees.mean.num_boosted_rounds()
            rounds[f"{side}_har_quantiles"] = model.trees.har_quantiles.num_boosted_rounds()
        assert self.barrier.trees is not None
        rounds["barrier"] = self.barrier.trees.num_boosted_rounds()
        return rounds


@dataclass(frozen=True, slots=True, eq=False)
class SideOutcome:
    """Delta of the test rows, and forecasts by name: our two models (`ENSEMBLE`, ``served_har_w``) and every baseline."""

    delta: F64
    forecasts: Mapping[str, RangeForecast]


@dataclass(frozen=True, slots=True, eq=False)
class BarrierOutcome:
    """Labels (rows, cells) of the test rows and probabilities (rows, cells, 3) by name."""

    labels: I8
    chances: Mapping[str, F64]


@dataclass(frozen=True, slots=True, eq=False)
class FoldOutcome:
    ranges: Mapping[str, SideOutcome]
    barrier: BarrierOutcome


def fit_fold(samples: Samples, fold: Fold, growth: Growth, *, max_tree_rows: int | None) -> FittedFold:
    stride = thinning(samples.spec.horizon, rows=len(fold.fit), at_most=max_tree_rows)
    rows = samples.features
    grower = Grower(
        rows[fold.fit.start : fold.fit.stop : stride],
        rows[fold.early_stop.start : fold.early_stop.stop],
        growth,
        min_leaf_rows=min_leaf_rows(samples.spec.horizon, stride=stride),
    )
    pairs = {side: fit_range_models(samples, side, fold, grower, stride=stride) for side in SIDES}
    return FittedFold(
        {side: pair[0] for side, pair in pairs.items()},
        {side: pair[1] for side, pair in pairs.items()},
        fit_barrier_model(samples, fold, growth, max_tree_rows=max_tree_rows),
    )


def forecast_fold(samples: Samples, fold: Fold, fitted: FittedFold) -> FoldOutcome:
    train, test = slice(fold.train.start, fold.train.stop), slice(fold.test.start, fold.test.stop)
    columns = har_columns(samples.spec.names)
    features, atr, scale = samples.features[test], samples.atr[test], samples.scale[test]
    design = har_w_design(features, columns)
    ranges = {
        side: SideOutcome(
            samples.deltas[side][test],
            {
                ENSEMBLE: fitted.ensembles[side].forecast(features, design, atr),
                f"served_{HAR_W}": fitted.har_w[side].forecast(features, design, atr),
                **baseline_forecasts(samples, side, train=train, test=test),
            },
        )
        for side in SIDES
    }
    barrier = fitted.barrier
    base = np.broadcast_to(base_rates(samples.labels[train]), (len(features), len(CELLS), 3))
    candidates = {"calibrated": barrier, "raw": barrier.uncalibrated(), "companion": barrier.without_trees()}
    chances = {name: model.probabilities(features, atr, scale, columns) for name, model in candidates.items()}
    return FoldOutcome(ranges, BarrierOutcome(samples.labels[test], {**chances, "base": base}))


def joined(outcomes: list[FoldOutcome]) -> FoldOutcome:
    """All folds as one, in time order."""

    def side(name: str) -> SideOutcome:
        parts = [outcome.ranges[name] for outcome in outcomes]
        return SideOutcome(
            np.concatenate([part.delta for part in parts]),
            {
                key: RangeForecast(
                    np.concatenate([part.forecasts[key].quantiles for part in parts]),
                    np.concatenate([part.forecasts[key].mean for part in parts]),
                )
                for key in parts[0].forecasts
            },
        )

    barriers = [outcome.barrier for outcome in outcomes]
    return FoldOutcome(
        {name: side(name) for name in SIDES},
        BarrierOutcome(
            np.concatenate([part.labels for part in barriers]),
            {key: np.concatenate([part.chances[key] for part in barriers]) for key in barriers[0].chances},
        ),
    )
