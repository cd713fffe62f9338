"""The yardsticks of ml.md S4. Each has a scale S per candle and the empirical distribution of delta / S in the training rows.

HAR-W is more: it is part of every range forecast, and the whole of it where trees do not pay.
HAR: Corsi, "A Simple Approximate Long-Memory Model of Realized Volatility", Journal of Financial Econometrics 7 (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from adapters.xgboost.arrays import F32, F64, LEVELS, gram
from adapters.xgboost.samples import Samples
from tradingcore.ml.model.features import HAR_COLUMNS

FLOOR: Final = 0.05
"""No scale falls below this many ATR."""

RIDGE: Final = 1e-4
WINSOR: Final = 0.999
"""Targets in units of ATR are cut at this quantile of the training rows."""
TERMS: Final = 5
"""The first columns of `HAR_COLUMNS` are volatilities; the others modify them."""


@dataclass(frozen=True, slots=True, eq=False)
class RangeForecast:
    """``quantiles`` (rows, 3) at `LEVELS` and ``mean`` (rows), log return."""

    quantiles: F64
    mean: F64


def har_columns(names: Sequence[str]) -> list[int]:
    """Where `HAR_COLUMNS` stand in a feature row."""
    return [names.index(name) for name in HAR_COLUMNS]


def har_w_design(features: F32, columns: list[int]) -> F64:
    """Regressors of HAR-W (rows, 15): the five terms, the terms x time-of-day ratio, the ratio and the rest, 1."""
    har = features[:, columns].astype(np.float64)
    terms, ratio = har[:, :TERMS], har[:, TERMS : TERMS + 1]
    return np.concatenate([terms, terms * ratio, har[:, TERMS:], np.ones((len(har), 1))], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class HarW:
    """Ridge of delta / ATR, ``scale = ATR max(design . coefficients, FLOOR)``; quantiles and mean of delta / scale."""

    coefficients: F64
    quantiles: F64
    mean: float

    @classmethod
    def fit(cls, design: F64, atr: F64, delta: F64) -> HarW:
        # After a holiday without trades ATR is next to nothing: a few such candles would bend the whole line.
        target = delta / atr
        coefficients = least_squares(design, np.minimum(target, np.quantile(target, WINSOR)), ridge=RIDGE)
        ratio = delta / (atr * np.maximum(design @ coefficients, FLOOR))
        return cls(coefficients, np.quantile(ratio, LEVELS), float(ratio.mean()))

    def scale(self, design: F64, atr: F64) -> F64:
        return atr * np.maximum(design @ self.coefficients, FLOOR)

    def forecast(self, scale: F64) -> RangeForecast:
        return RangeForecast(scale[:, None] * self.quantiles, scale * self.mean)

    def to_json(self) -> dict[str, Any]:
        return {"coefficients": self.coefficients.tolist(), "quantiles": self.quantiles.tolist(), "mean": self.mean}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> HarW:
        return cls(np.array(raw["coefficients"]), np.array(raw["quantiles"]), raw["mean"])


def least_squares(design: F64, target: F64, *, ridge: float = 0.0) -> F64:
    """Coefficients of a linear regression by normal equations, summed in one order whatever the number of threads."""
    square = gram(design, design) / len(design) + ridge * np.eye(design.shape[1])
    moment = gram(design, target[:, None])[:, 0] / len(design)
    return np.asarray(np.linalg.lstsq(square, moment, rcond=None)[0])


def baseline_forecasts(samples: Samples, side: str, *, train: slice, test: slice) -> dict[str, RangeForecast]:
    """Forecasts of ``test`` by every baseline, fitted on ``train`` only. ``persistence`` repeats the last realised delta."""
    delta, atr = samples.deltas[side], samples.atr
    design = har_w_design(samples.features, har_columns(samples.spec.names))
    terms = np.concatenate([design[:, :TERMS] * atr[:, None], design[:, -1:]], axis=1)
    har = terms @ _har_coefficients(terms[train], delta[train])
    har_w = HarW.fit(design[train], atr[train], delta[train])
    scales = {
        "mean": np.ones_like(atr),
        "atr": atr,
        "ewma": samples.ewma,
        "har": np.maximum(har, FLOOR * atr),
    }
    last = samples.last_deltas[side][test]
    return {
        "persistence": RangeForecast(np.repeat(last[:, None], len(LEVELS), axis=1), last),
        **{name: _scaled(scale, delta, train, test) for name, scale in scales.items()},
        "har_w": har_w.forecast(har_w.scale(design[test], atr[test])),
    }


def _har_coefficients(terms: F64, delta: F64) -> F64:
    # Log returns of one candle are around 1e-4: in units of their own size the normal equations stay well conditioned.
    unit = float(np.abs(terms[:, 0]).mean())
    scaled = np.concatenate([terms[:, :-1] / unit, terms[:, -1:]], axis=1)
    coefficients = least_squares(scaled, delta / unit) * unit
    coefficients[:-1] /= unit
    return coefficients


def _scaled(scale: F64, delta: F64, train: slice, test: slice) -> RangeForecast:
    ratio = delta[train] / scale[train]
    return RangeForecast(scale[test, None] * np.quantile(ratio, LEVELS), scale[test] * ratio.mean())
