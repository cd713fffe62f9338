"""What training learns from: rows of features with their targets, and the gate in front of them (ml.md S2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.xgboost.arrays import F32, F64, I8, I64, f64
from tradingcore.kernel.market import CandleSeries, from_milliseconds
from tradingcore.ml.errors import DataUnfit, NotEnoughHistory
from tradingcore.ml.model.features import FeatureSpec
from tradingcore.ml.policies import candles_needed
from tradingcore.ml.ports import FeatureCalculator, TargetCalculator, TrainingRequest

EWMA_ALPHA: Final = 0.06
SMALLEST_VARIANCE: Final = 1e-16
MOST_FLAT: Final = 0.5
"""A series of which more candles than this do not move at all is not worth a model."""


@dataclass(frozen=True, slots=True)
class BarrierCell:
    """One question to the TP/SL classifier: a side (+1 long, -1 short) and barriers in units of s sqrt(h)."""

    side: int
    k_take_profit: float
    k_stop_loss: float


CELLS: Final = tuple(BarrierCell(side, *pair) for pair in ((1.0, 1.0), (1.5, 0.75)) for side in (1, -1))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Samples:
    """One entry per candle that has features and whose horizon is over, in time order.

    ``features`` is float32 (rows, columns); ``deltas`` and ``last_deltas`` (the ones known at the candle) hold ``high`` and ``low``
    as log returns; ``labels`` (rows, cells) holds 0 take profit, 1 stop loss, 2 time; ``realised`` (rows, cells) log returns.
    """

    spec: FeatureSpec
    first_row: int
    features: F32
    open_times: I64
    decisions: I64
    label_ends: I64
    atr: F64
    scale: F64
    ewma: F64
    deltas: Mapping[str, F64]
    last_deltas: Mapping[str, F64]
    labels: I8
    realised: F64
    ambiguous: int

    def __len__(self) -> int:
        return len(self.decisions)


def check_candles(candles: CandleSeries) -> None:
    """Raise `DataUnfit` for columns that no market makes: stores validate candles, this guards what they hand out."""
    times = np.asarray(candles.open_times, dtype=np.int64)
    open_, high, low, close = (f64(column) for column in (candles.open, candles.high, candles.low, candles.close))
    faults = {
        "does not come after the candle before it": np.r_[False, np.diff(times) <= 0],
        "has a price that is not a number above zero": ~np.all(
            [np.isfinite(c) & (c > 0) for c in (open_, high, low, close)], axis=0
        ),
        "has an open or close outside its low and high": (low > np.minimum(open_, close)) | (high < np.maximum(open_, close)),
    }
    for text, faulty in faults.items():
        if faulty.any():
            first = from_milliseconds(int(times[np.argmax(faulty)])).isoformat()
            raise DataUnfit(
                f"{candles.key}: candle {first} {text} ({int(faulty.sum())} such candles); correct the data and train again"
            )


def require_history(candles: int, *, spec: FeatureSpec, folds: int, name: object) -> None:
    """Raise `NotEnoughHistory` when a walk-forward of ``folds`` folds cannot be made."""
    needed = candles_needed(w_max=spec.w_max, horizon=spec.horizon, folds=folds)
    if candles < needed:
        raise NotEnoughHistory(
            f"{name} has {candles} candles, training horizon {spec.horizon} over {folds} folds needs at least {needed}: "
            f"{spec.w_max} for the first features and {needed - spec.w_max} to learn from and test on"
        )


def make_samples(
    request: TrainingRequest, candles: CandleSeries, features: FeatureCalculator, targets: TargetCalculator
) -> Samples:
    """Compute features and targets. Raises `NotEnoughHistory` or `DataUnfit`."""
    check_candles(candles)
    horizon = request.horizon
    has_volume = bool(np.any(f64(candles.volume) > 0))
    spec = features.spec(request.profile, horizon=horizon, has_volume=has_volume)
    require_history(len(candles), spec=spec, folds=request.training.folds, name=candles.key)

    matrix = features.matrix(candles, spec)
    first, stop = matrix.first_row, len(candles) - horizon
    rows = slice(0, stop - first)
    here = slice(first, stop)
    values = np.asarray(matrix.values, dtype=np.float32)[rows]
    atr, scale = f64(matrix.atr)[rows], f64(matrix.scale)[rows]
    _require_movement(candles, values, atr, scale)

    times = np.asarray(candles.open_times, dtype=np.int64)
    closes_at = times + candles.key.timeframe.milliseconds
    ranges = targets.ranges(candles, horizon=horizon)
    deltas = {"high": f64(ranges.delta_high), "low": f64(ranges.delta_low)}
    unit = np.full(len(candles), np.nan)
    unit[first:] = f64(matrix.scale) * np.sqrt(horizon)
    cells = [
        targets.barriers(
            candles,
            unit=unit.data,
            horizon=horizon,
            side=cell.side,
            k_take_profit=cell.k_take_profit,
            k_stop_loss=cell.k_stop_loss,
        )
        for cell in CELLS
    ]
    return Samples(
        spec=spec,
        first_row=first,
        features=values,
        open_times=times[here],
        decisions=closes_at[here],
        label_ends=closes_at[first + horizon :],
        atr=atr,
        scale=scale,
        ewma=_ewma_volatility(f64(candles.close))[here],
        deltas={side: delta[here] for side, delta in deltas.items()},
        last_deltas={side: delta[first - horizon : stop - horizon] for side, delta in deltas.items()},
        labels=np.column_stack([np.asarray(cell.label, dtype=np.int8)[here] for cell in cells]),
        realised=np.column_stack([f64(cell.realised)[here] for cell in cells]),
        ambiguous=sum(cell.ambiguous for cell in cells),
    )


def hash_candles(candles: CandleSeries) -> str:
    """SHA-256 over the key and every column."""
    digest = hashlib.sha256(str(candles.key).encode())
    for column in (candles.open_times, candles.open, candles.high, candles.low, candles.close, candles.volume):
        digest.update(column)
    return digest.hexdigest()


def _require_movement(candles: CandleSeries, values: F32, atr: F64, scale: F64) -> None:
    flat = f64(candles.high) <= f64(candles.low)
    if flat.mean() > MOST_FLAT or not ((atr > 0) & (scale > 0)).all():
        raise DataUnfit(
            f"{candles.key}: the price does not move within {int(flat.sum())} of {len(flat)} candles, "
            "so there is too little to learn; use a longer timeframe"
        )
    undefined = ~np.isfinite(values).all(axis=0)
    if undefined.any():
        raise DataUnfit(
            f"{candles.key}: {int(undefined.sum())} features are not finite, the first is column {int(np.argmax(undefined))}"
        )


def _ewma_volatility(close: F64) -> F64:
    squared = np.diff(np.log(close), prepend=np.log(close[0])) ** 2
    level = float(squared[1 : int(1 / EWMA_ALPHA) + 1].mean())
    result = np.empty_like(squared)
    for index, value in enumerate(squared.tolist()):
        level += EWMA_ALPHA * (value - level)
        result[index] = level
    floored: F64 = np.maximum(result, SMALLEST_VARIANCE)
    return np.sqrt(floored)
