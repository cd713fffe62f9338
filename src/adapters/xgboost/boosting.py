"""One way to grow trees, for every model of this adapter: parameters of ml.md S5, one matrix per fold, labels swapped."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost as xgb

from adapters.xgboost.arrays import F32, F64, LEVELS

MAX_BIN: Final = 128
PARAMETERS: Final[dict[str, Any]] = {
    "tree_method": "hist",
    "max_bin": MAX_BIN,
    "max_depth": 4,
    "eta": 0.05,
    "min_child_weight": 100,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "lambda": 20,
    "verbosity": 0,
}
EARLY_STOP_ROUNDS: Final = 40

QUANTILES: Final[dict[str, Any]] = {"objective": "reg:quantileerror", "quantile_alpha": list(LEVELS)}
MEAN: Final[dict[str, Any]] = {"objective": "reg:squarederror"}
CLASSES: Final[dict[str, Any]] = {"objective": "multi:softprob", "num_class": 3, "eval_metric": "mlogloss"}


class TrainingCancelled(Exception):
    """The caller no longer wants the model."""


class _Cancellation(xgb.callback.TrainingCallback):  # type: ignore[misc]  # xgboost ships no types
    def __init__(self, cancelled: threading.Event) -> None:
        super().__init__()
        self._cancelled = cancelled

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return self._cancelled.is_set()


@dataclass(frozen=True, slots=True)
class Growth:
    """How the trees of one fold are grown."""

    rounds: int
    seed: int
    threads: int
    cancelled: threading.Event


class Grower:
    """Grows boosters on the rows of one fold; the quantised features are shared by all of them."""

    def __init__(self, fit: F32, early_stop: F32, growth: Growth) -> None:
        self._growth = growth
        self._fit = xgb.QuantileDMatrix(fit, max_bin=MAX_BIN, nthread=growth.threads)
        self._early_stop = xgb.QuantileDMatrix(early_stop, ref=self._fit, max_bin=MAX_BIN, nthread=growth.threads)

    def grow(self, objective: dict[str, Any], fit_labels: F64, early_stop_labels: F64) -> xgb.Booster:
        """Return the booster of the best round. Raises `TrainingCancelled`."""
        self._fit.set_label(fit_labels)
        self._early_stop.set_label(early_stop_labels)
        booster = xgb.train(
            {**PARAMETERS, **objective, "seed": self._growth.seed, "nthread": self._growth.threads},
            self._fit,
            num_boost_round=self._growth.rounds,
            evals=[(self._early_stop, "later")],
            callbacks=[_Cancellation(self._growth.cancelled), xgb.callback.EarlyStopping(EARLY_STOP_ROUNDS)],
            verbose_eval=False,
        )
        if self._growth.cancelled.is_set():
            raise TrainingCancelled
        return booster[: booster.best_iteration + 1]


def serialise(booster: xgb.Booster) -> bytes:
    """The trees as UBJ, without the traces of how they were found."""
    booster.set_attr(best_iteration=None, best_score=None)
    return bytes(booster.save_raw("ubj"))


def load_booster(raw: bytes) -> xgb.Booster:
    booster = xgb.Booster({"nthread": 1, "verbosity": 0})
    booster.load_model(bytearray(raw))
    return booster


def predict(booster: xgb.Booster, features: F32) -> F64:
    """Predictions of ready float32 rows, on the calling thread."""
    return np.asarray(booster.inplace_predict(features), dtype=np.float64)
