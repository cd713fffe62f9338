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
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "lambda": 20,
    "verbosity": 0,
}
LEAF_HORIZONS: Final = 25
"""How many horizons that do not overlap a leaf must hold."""

SLOW: Final = 0.05
"""Learning rate where there are rounds enough."""

MAX_PATIENCE: Final = 40
"""Rounds without gain on later rows after which growing stops."""

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
    """How the trees of one fold are grown. Few rounds are taken in larger steps and given up sooner."""

    rounds: int
    seed: int
    threads: int
    cancelled: threading.Event

    @property
    def eta(self) -> float:
        return max(SLOW, min(0.3, 15 / self.rounds))

    @property
    def patience(self) -> int:
        return max(5, min(MAX_PATIENCE, self.rounds // 10))


class Grower:
    """Grows boosters on the rows of one fold; the quantised features are shared by all of them."""

    def __init__(self, fit: F32, early_stop: F32, growth: Growth, *, min_leaf_rows: float) -> None:
        self._growth = growth
        self._parameters = {
            **PARAMETERS,
            "eta": growth.eta,
            "min_child_weight": min_leaf_rows,
            "seed": growth.seed,
            "nthread": growth.threads,
        }
        self._fit = xgb.QuantileDMatrix(fit, max_bin=MAX_BIN, nthread=growth.threads)
        self._early_stop = xgb.QuantileDMatrix(early_stop, ref=self._fit, max_bin=MAX_BIN, nthread=growth.threads)

    def grow(self, objective: dict[str, Any], fit_labels: F64, early_stop_labels: F64) -> xgb.Booster:
        """Return the booster of the best round. Raises `TrainingCancelled`."""
        self._fit.set_label(fit_labels)
        self._early_stop.set_label(early_stop_labels)
        booster = xgb.train(
            {**self._parameters, **objective},
            self._fit,
            num_boost_round=self._growth.rounds,
            evals=[(self._early_stop, "later")],
            callbacks=[_Cancellation(self._growth.cancelled), xgb.callback.EarlyStopping(rounds=self._growth.patience)],
            verbose_eval=False,
        )
        if self._growth.cancelled.is_set():
            raise TrainingCancelled
        return booster[: booster.best_iteration + 1]


def min_leaf_rows(horizon: int, *, stride: int) -> float:
    """Rows that a leaf must hold: outcomes overlap, so long horizons need more of them (50 to 300, ml.md S5)."""
    return min(300.0, max(50.0, LEAF_HORIZONS * horizon / stride))


def serialise(booster: xgb.Booster) -> bytes:
    """The trees as UBJ, without the traces of how they were found."""
    booster.set_attr(best_iteration=None, best_score=None)
    return bytes(booster.save_raw("ubj"))


def load_booster(raw: bytes, *, width: int) -> xgb.Booster:
    """Raise ``ValueError`` for trees over another number of columns: `predict` does not look again."""
    booster = xgb.Booster({"nthread": 1, "verbosity": 0})
    booster.load_model(bytearray(raw))
    if booster.num_features() != width:
        raise ValueError(f"trees over {booster.num_features()} columns instead of {width}")
    return booster


def predict(booster: xgb.Booster, features: F32) -> F64:
    """Predictions of ready float32 rows, on the calling thread."""
    return np.asarray(booster.inplace_predict(features, validate_features=False), dtype=np.float64)
