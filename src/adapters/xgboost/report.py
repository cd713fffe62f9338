"""What a walk-forward shows: which of our models are worth serving, and the figures of those (ml.md S10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.xgboost import evaluation as measure
from adapters.xgboost.arrays import F64, SIDES
from adapters.xgboost.range_model import INTERVAL_LEVEL
from adapters.xgboost.samples import CELLS
from adapters.xgboost.walk_forward import ENSEMBLE, HAR_W, BarrierOutcome, FoldOutcome
from tradingcore.ml.model.model_version import BASELINES, Evaluation

BASIS_POINT: Final = 1e-4
NOT_WORSE: Final = -1.0
"""Diebold-Mariano t above which a richer model counts as no worse than a simpler one."""

ACCEPTED_CALIBRATION_ERROR: Final = 0.02
TAKE_PROFIT: Final = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What is served: ``range`` is `ENSEMBLE` or `HAR_W`; ``barrier`` is ``calibrated``, ``raw`` or ``companion``."""

    range: str
    barrier: str


def choose(outcome: FoldOutcome, *, horizon: int) -> Choice:
    """Trees serve only where the walk-forward shows that they are no worse than what is simpler."""
    skill = np.mean([_pinball_skill(outcome, side, ENSEMBLE, f"served_{HAR_W}") for side in SIDES])
    barrier = outcome.barrier
    tree = _better_trees(barrier)
    t = measure.diebold_mariano(_brier(barrier, "companion"), _brier(barrier, tree), lag=2 * horizon)
    return Choice(range=ENSEMBLE if skill > 0 else HAR_W, barrier=tree if t > NOT_WORSE else "companion")


def fold_metrics(outcome: FoldOutcome) -> dict[str, float]:
    """Pinball losses in basis points, of our models and every baseline, both sides together."""
    first = outcome.ranges[SIDES[0]]
    losses = {
        f"pinball_bp_{name}": float(np.mean([_pinball(outcome, side, name).mean() for side in SIDES])) / BASIS_POINT
        for name in first.forecasts
    }
    barrier = outcome.barrier
    return {**losses, **{f"brier_{name}": float(_brier(barrier, name).mean()) for name in barrier.chances}}


def evaluate(outcome: FoldOutcome, choice: Choice, *, horizon: int, folds: int, ambiguous: float) -> Evaluation:
    """``ambiguous`` is the share of labels whose candle held both levels, where the stop was taken to come first."""
    ours = ENSEMBLE if choice.range == ENSEMBLE else f"served_{HAR_W}"
    held = {side: measure.coverage(outcome.ranges[side].delta, outcome.ranges[side].forecasts[ours].quantiles) for side in SIDES}
    return Evaluation(
        folds=folds,
        test_rows=len(outcome.ranges[SIDES[0]].delta),
        skill={name: float(np.mean([_skill(outcome, side, ours, name) for side in SIDES])) for name in BASELINES},
        coverage=float(np.mean([held[side].mean() for side in SIDES])),
        metrics={
            **_range_metrics(outcome, ours, horizon=horizon),
            **{f"coverage_{side}": float(held[side].mean()) for side in SIDES},
            "coverage_worst_block": min(measure.block_range(held[side])[0] for side in SIDES),
            "coverage_best_block": max(measure.block_range(held[side])[1] for side in SIDES),
            **_barrier_metrics(outcome.barrier, choice.barrier, horizon=horizon),
            "barrier_ambiguous": ambiguous,
        },
    )


def _pinball(outcome: FoldOutcome, side: str, name: str) -> F64:
    data = outcome.ranges[side]
    return measure.pinball(data.delta, data.forecasts[name].quantiles)


def _pinball_skill(outcome: FoldOutcome, side: str, ours: str, baseline: str) -> float:
    return measure.skill(_pinball(outcome, side, ours), _pinball(outcome, side, baseline))


def _skill(outcome: FoldOutcome, side: str, ours: str, baseline: str) -> float:
    if baseline != "persistence":
        return _pinball_skill(outcome, side, ours, baseline)
    # Repeating the last delta says nothing of quantiles: the medians are compared.
    data = outcome.ranges[side]
    errors = {name: np.abs(data.delta - data.forecasts[name].quantiles[:, 1]) for name in (ours, baseline)}
    return measure.skill(errors[ours], errors[baseline])


def _range_metrics(outcome: FoldOutcome, ours: str, *, horizon: int) -> dict[str, float]:
    metrics: dict[str, float] = {}
    losses = {name: np.mean([_pinball(outcome, side, name) for side in SIDES], axis=0) for name in (ours, *BASELINES)}
    best = min((name for name in BASELINES if name != "persistence"), key=lambda name: float(losses[name].mean()))
    metrics["dm_best_baseline"] = measure.diebold_mariano(losses[best], losses[ours], lag=2 * horizon)
    metrics["dm_har_w"] = measure.diebold_mariano(losses["har_w"], losses[ours], lag=2 * horizon)
    metrics["ensemble_skill_har_w"] = float(np.mean([_pinball_skill(outcome, side, ENSEMBLE, "har_w") for side in SIDES]))
    for side, data in outcome.ranges.items():
        forecast, mean = data.forecasts[ours], data.forecasts["mean"].mean
        metrics[f"mean_bp_{side}"] = float(data.delta.mean()) / BASIS_POINT
        metrics[f"r2_{side}"] = measure.r_squared(data.delta, forecast.mean, mean)
        metrics[f"r2_atr_{side}"] = measure.r_squared(data.delta, data.forecasts["atr"].mean, mean)
        metrics[f"r2_har_w_{side}"] = measure.r_squared(data.delta, data.forecasts["har_w"].mean, mean)
        metrics[f"mae_bp_{side}"] = float(np.abs(data.delta - forecast.quantiles[:, 1]).mean()) / BASIS_POINT
        metrics[f"pinball_bp_{side}"] = float(_pinball(outcome, side, ours).mean()) / BASIS_POINT
        metrics[f"width_bp_{side}"] = float((forecast.quantiles[:, 2] - forecast.quantiles[:, 0]).mean()) / BASIS_POINT
        winkler = measure.winkler(data.delta, forecast.quantiles, level=INTERVAL_LEVEL)
        metrics[f"winkler_bp_{side}"] = float(winkler.mean()) / BASIS_POINT
    metrics["r2"] = float(np.mean([metrics[f"r2_{side}"] for side in SIDES]))
    return metrics


def _brier(barrier: BarrierOutcome, name: str) -> F64:
    """Squared error of P(TP), mean over cells, per row."""
    hit = barrier.labels == TAKE_PROFIT
    return np.asarray(((barrier.chances[name][:, :, TAKE_PROFIT] - hit) ** 2).mean(axis=1))


def _better_trees(barrier: BarrierOutcome) -> str:
    hit = (barrier.labels == TAKE_PROFIT).ravel()
    error = {
        name: measure.calibration_error(barrier.chances[name][:, :, TAKE_PROFIT].ravel(), hit) for name in ("calibrated", "raw")
    }
    loss = {name: measure.log_loss(barrier.chances[name], barrier.labels).mean() for name in ("calibrated", "raw")}
    pays = error["calibrated"] <= max(ACCEPTED_CALIBRATION_ERROR, error["raw"]) and loss["calibrated"] <= loss["raw"]
    return "calibrated" if pays else "raw"


def _barrier_metrics(barrier: BarrierOutcome, ours: str, *, horizon: int) -> dict[str, float]:
    labels, chance = barrier.labels, barrier.chances[ours]
    hit = labels == TAKE_PROFIT
    brier = _brier(barrier, ours)
    metrics = {
        "barrier_brier_skill": measure.skill(brier, _brier(barrier, "base")),
        "barrier_log_loss_skill": measure.skill(
            measure.log_loss(chance, labels), measure.log_loss(barrier.chances["base"], labels)
        ),
        "barrier_auc": float(np.mean([measure.auc(chance[:, cell, TAKE_PROFIT], hit[:, cell]) for cell in range(len(CELLS))])),
        "barrier_ece": measure.calibration_error(chance[:, :, TAKE_PROFIT].ravel(), hit.ravel()),
        "barrier_dm_base": measure.diebold_mariano(_brier(barrier, "base"), brier, lag=2 * horizon),
    }
    for name in ("calibrated", "raw", "companion"):
        metrics[f"barrier_brier_skill_{name}"] = measure.skill(_brier(barrier, name), _brier(barrier, "base"))
    companion, trees = _brier(barrier, "companion"), _brier(barrier, _better_trees(barrier))
    metrics["barrier_dm_companion"] = measure.diebold_mariano(companion, trees, lag=2 * horizon)
    long, short = (next(n for n, c in enumerate(CELLS) if c.side == side and c.k_take_profit == c.k_stop_loss) for side in (1, -1))
    resolved = labels[:, long] != 2
    lean = chance[:, long, TAKE_PROFIT] - chance[:, short, TAKE_PROFIT]
    metrics["direction_auc"] = measure.auc(lean[resolved], hit[resolved, long])
    return metrics
