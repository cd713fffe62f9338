"""A fitted model to the members of a bundle and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from adapters.xgboost.arrays import F32, F64, LEVELS, SIDES
from adapters.xgboost.barrier_model import QUESTION_COLUMNS, BarrierModel
from adapters.xgboost.baselines import FLOOR, WINSOR, HarW
from adapters.xgboost.boosting import load_booster, serialise
from adapters.xgboost.range_model import INTERVAL_LEVEL, Offsets, RangeModel, RangeTrees
from adapters.xgboost.report import Choice
from adapters.xgboost.samples import CELLS
from adapters.xgboost.walk_forward import ENSEMBLE, FittedFold
from tradingcore.kernel.codec import encode
from tradingcore.ml.model.bundle import Bundle, json_member, pack
from tradingcore.ml.model.features import FeatureSpec
from tradingcore.ml.model.model_version import Evaluation

EXTREMES = (0.001, 0.999)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Where training saw each feature: its 0.1 % and 99.9 % quantiles, and how many features of a row may lie outside.

    A row is out of distribution when more than ``most_outside`` of its features are outside: more than in all but one training row
    of a thousand, and more than one. A slow drift of one level does not raise the flag, a candle like no other does.
    """

    low: F32
    high: F32
    most_outside: int

    @classmethod
    def of(cls, features: F32) -> Reference:
        low, high = np.quantile(features, EXTREMES, axis=0).astype(np.float32)
        outside = ((features < low) | (features > high)).sum(axis=1)
        return cls(low, high, max(1, int(np.quantile(outside, EXTREMES[1], method="higher"))))

    def is_outside(self, row: F32) -> bool:
        return int(np.count_nonzero((row < self.low) | (row > self.high))) > self.most_outside


@dataclass(frozen=True, slots=True, eq=False)
class FittedModel:
    """Everything that prediction needs."""

    ranges: Mapping[str, RangeModel]
    barrier: BarrierModel
    reference: Reference


def chosen(fitted: FittedFold, choice: Choice, reference: Reference) -> FittedModel:
    """Keep what is worth serving."""
    barrier = fitted.barrier
    variants = {"calibrated": barrier, "raw": barrier.uncalibrated(), "companion": barrier.without_trees()}
    ranges = fitted.ensembles if choice.range == ENSEMBLE else fitted.har_w
    return FittedModel(ranges, variants[choice.barrier], reference)


def to_bytes(
    model: FittedModel,
    choice: Choice,
    *,
    spec: FeatureSpec,
    evaluation: Evaluation,
    folds: list[dict[str, Any]],
    training: Mapping[str, Any],
) -> bytes:
    """Return the bytes of a bundle. Equal arguments give equal bytes."""
    barrier = model.barrier
    members = {
        "har.json": json_member({"floor": FLOOR, **{side: model.ranges[side].har.to_json() for side in SIDES}}),
        "conformal.json": json_member(
            {"level": INTERVAL_LEVEL, "unit": "atr", **{side: encode(model.ranges[side].offsets) for side in SIDES}}
        ),
        "calibrator.json": json_member(
            {
                "calibrator": None if barrier.calibrator is None else barrier.calibrator.tolist(),
                "companion": barrier.companion.tolist(),
                "mean_time": barrier.mean_time.tolist(),
            }
        ),
        "feature_spec.json": json_member(spec.to_json()),
        "target_spec.json": json_member(
            {
                "horizon": spec.horizon,
                "range": {"unit": "atr", "levels": list(LEVELS), "winsorised_at": WINSOR},
                "barrier": {"unit": "scale x sqrt(horizon)", "cells": [encode(cell) for cell in CELLS]},
            }
        ),
        "reference_bins.json": json_member(
            {
                "low": model.reference.low.tolist(),
                "high": model.reference.high.tolist(),
                "most_outside": model.reference.most_outside,
            }
        ),
        "metrics.json": json_member({**encode(evaluation), "by_fold": folds}),
    }
    for side in SIDES:
        trees = model.ranges[side].trees
        if trees is not None:
            members[f"range_{side}_quantiles.ubj"] = serialise(trees.quantiles)
            members[f"range_{side}_mean.ubj"] = serialise(trees.mean)
            members[f"range_{side}_har_quantiles.ubj"] = serialise(trees.har_quantiles)
    if barrier.trees is not None:
        members["barrier.ubj"] = serialise(barrier.trees)
    return pack(
        members,
        kinds={"range": choice.range, "barrier": "companion" if barrier.trees is None else "trees"},
        library_version=xgb.__version__,
        kernel_version=spec.kernel_version,
        training=training,
    )


def from_bundle(bundle: Bundle) -> FittedModel:
    """Read a verified bundle. Raises ``KeyError``, ``ValueError`` or ``xgboost.core.XGBoostError`` for members of another shape."""
    har, conformal, barrier = bundle.json("har.json"), bundle.json("conformal.json"), bundle.json("calibrator.json")
    reference, target = bundle.json("reference_bins.json"), bundle.json("target_spec.json")
    if target["barrier"]["cells"] != json.loads(json_member([encode(cell) for cell in CELLS])):
        raise ValueError("it answers other barriers")

    width = len(bundle.spec.names)

    def trees(side: str) -> RangeTrees | None:
        if bundle.kinds["range"] != ENSEMBLE:
            return None
        parts = ("quantiles", "mean", "har_quantiles")
        return RangeTrees(*(load_booster(bundle.members[f"range_{side}_{part}.ubj"], width=width) for part in parts))

    calibrator: F64 | None = None if barrier["calibrator"] is None else np.array(barrier["calibrator"])
    return FittedModel(
        ranges={side: RangeModel(HarW.from_json(har[side]), trees(side), Offsets(**conformal[side])) for side in SIDES},
        barrier=BarrierModel(
            companion=np.array(barrier["companion"]),
            trees=load_booster(bundle.members["barrier.ubj"], width=width + QUESTION_COLUMNS)
            if bundle.kinds["barrier"] == "trees"
            else None,
            calibrator=calibrator,
            mean_time=np.array(barrier["mean_time"]),
        ),
        reference=Reference(
            np.array(reference["low"], dtype=np.float32),
            np.array(reference["high"], dtype=np.float32),
            reference["most_outside"],
        ),
    )
