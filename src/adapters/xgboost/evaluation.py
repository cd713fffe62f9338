"""Losses, skills and tests of out-of-sample forecasts (ml.md S10). All arrays run over test rows in time order.

Diebold, Mariano, "Comparing Predictive Accuracy", JBES 13 (1995); long-run variance by Newey, West, Econometrica 55 (1987).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.xgboost.arrays import F64, LEVELS

BLOCKS: Final = 12
ECE_BINS: Final = 15


def pinball(delta: F64, quantiles: F64) -> F64:
    """Mean pinball loss over `LEVELS` per row."""
    levels = np.array(LEVELS)
    gap = delta[:, None] - quantiles
    return np.asarray(np.maximum(levels * gap, (levels - 1) * gap).mean(axis=1))


def skill(loss: F64, baseline: F64) -> float:
    """1 - loss / loss of the baseline: 0.12 is 12 % better."""
    return 1.0 - float(loss.mean() / baseline.mean())


def r_squared(delta: F64, forecast: F64, reference: F64) -> float:
    """Share of squared error that goes away against ``reference``, the training mean."""
    return 1.0 - float(((delta - forecast) ** 2).sum() / ((delta - reference) ** 2).sum())


def diebold_mariano(baseline: F64, ours: F64, *, lag: int) -> float:
    """t statistic of the mean loss difference, positive where ``ours`` is better, robust to ``lag`` autocorrelations."""
    difference = baseline - ours
    centred = difference - difference.mean()
    variance = float(centred @ centred)
    for shift in range(1, min(lag, len(centred) - 1) + 1):
        variance += 2 * (1 - shift / (lag + 1)) * float(centred[shift:] @ centred[:-shift])
    if variance <= 0:
        return 0.0
    return float(difference.mean() * len(difference) / np.sqrt(variance))


def coverage(delta: F64, quantiles: F64) -> NDArray[np.bool_]:
    """Per row, whether the interval holds the outcome."""
    return np.asarray((delta >= quantiles[:, 0]) & (delta <= quantiles[:, 2]))


def block_range(values: NDArray[np.bool_]) -> tuple[float, float]:
    """Lowest and highest mean over `BLOCKS` consecutive blocks."""
    means = [float(block.mean()) for block in np.array_split(values, min(BLOCKS, len(values)))]
    return min(means), max(means)


def winkler(delta: F64, quantiles: F64, *, level: float) -> F64:
    """Width of the interval plus the penalty of a miss (Winkler 1972), per row."""
    low, high = quantiles[:, 0], quantiles[:, 2]
    miss = np.maximum(low - delta, 0) + np.maximum(delta - high, 0)
    return np.asarray(high - low + 2 / (1 - level) * miss)


def auc(score: F64, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive row scores above a negative one; .5 when one kind is missing."""
    hits = int(positive.sum())
    misses = len(positive) - hits
    if not hits or not misses:
        return 0.5
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def calibration_error(chance: F64, positive: NDArray[np.bool_]) -> float:
    """Expected calibration error over `ECE_BINS` bins of equal count."""
    order = np.argsort(chance, kind="stable")
    bins = np.array_split(order, min(ECE_BINS, len(order)))
    return float(sum(len(rows) * abs(chance[rows].mean() - positive[rows].mean()) for rows in bins) / len(order))


def log_loss(chance: F64, labels: NDArray[np.int8]) -> F64:
    """Per row, minus the log of the probability that was given to what happened. ``chance`` (..., 3), ``labels`` (...)."""
    given = np.take_along_axis(chance, labels[..., None].astype(np.int64), axis=-1)[..., 0]
    return np.asarray(-np.log(np.maximum(given, 1e-12)))
