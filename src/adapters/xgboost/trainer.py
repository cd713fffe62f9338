from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from adapters.xgboost.boosting import Growth, TrainingCancelled
from adapters.xgboost.bundle import Reference, chosen, to_bytes
from adapters.xgboost.report import choose, evaluate, fold_metrics
from adapters.xgboost.samples import Samples, hash_candles, make_samples
from adapters.xgboost.walk_forward import FoldOutcome, fit_fold, forecast_fold, joined
from tradingcore.kernel.codec import encode
from tradingcore.kernel.market import CandleSeries, from_milliseconds
from tradingcore.ml.model.model_version import FoldRecord
from tradingcore.ml.policies import Fold, first_test_row, plan_folds
from tradingcore.ml.ports import (
    FeatureCalculator,
    ModelTrainer,
    TargetCalculator,
    TrainedModel,
    TrainingProgress,
    TrainingRequest,
)

Step = Callable[[str, int, int], None]
SEED_STRIDE: Final = 1_000


class XgboostModelTrainer(ModelTrainer):
    """Trains in a worker thread; XGBoost and the kernels release the interpreter's lock, so the event loop stays responsive.

    Progress is told on the event loop. A cancelled call stops after the boosting round under way, then raises.
    """

    def __init__(self, features: FeatureCalculator, targets: TargetCalculator, *, threads: int = 1) -> None:
        self._features = features
        self._targets = targets
        self._threads = threads

    async def train(self, request: TrainingRequest, candles: CandleSeries, progress: TrainingProgress) -> TrainedModel:
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def advanced(step: str, done: int, total: int) -> None:
            if cancelled.is_set():
                raise TrainingCancelled

            def tell() -> None:
                progress.advanced(request.profile.key, horizon=request.horizon, step=step, done=done, total=total)

            loop.call_soon_threadsafe(tell)

        work = asyncio.ensure_future(asyncio.to_thread(self._train, request, candles, advanced, cancelled))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.wait([work])
            work.exception()
            raise

    def _train(self, request: TrainingRequest, candles: CandleSeries, advanced: Step, cancelled: threading.Event) -> TrainedModel:
        total = request.training.folds + 2
        samples = make_samples(request, candles, self._features, self._targets)
        advanced("features and targets", 1, total)

        plan = plan_folds(
            samples.decisions.tolist(),
            samples.label_ends.tolist(),
            first_test=first_test_row(candles=len(candles), first_row=samples.first_row, horizon=request.horizon),
            folds=request.training.folds,
            margin=candles.key.timeframe.milliseconds,
        )
        outcomes: list[FoldOutcome] = []
        records: list[FoldRecord] = []
        for fold in plan:
            begun = time.perf_counter()
            seed = request.seed * SEED_STRIDE + fold.index
            growth = Growth(rounds=request.training.rounds, seed=seed, threads=self._threads, cancelled=cancelled)
            fitted = fit_fold(samples, fold, growth, max_tree_rows=request.training.max_tree_rows)
            if fold.test:
                outcomes.append(forecast_fold(samples, fold, fitted))
                records.append(
                    _record(
                        samples,
                        fold,
                        seed=seed,
                        best_iterations=fitted.best_iterations(),
                        metrics=fold_metrics(outcomes[-1]),
                        seconds=time.perf_counter() - begun,
                    )
                )
                advanced(f"fold {fold.index + 1} of {request.training.folds}", fold.index + 2, total)

        outcome = joined(outcomes)
        choice = choose(outcome, horizon=request.horizon)
        evaluation = evaluate(
            outcome, choice, horizon=request.horizon, folds=len(records), ambiguous=samples.ambiguous / samples.labels.size
        )
        rows = slice(plan[-1].train.start, plan[-1].train.stop)
        data_hash = hash_candles(candles)
        bundle = to_bytes(
            chosen(fitted, choice, Reference.of(samples.features[rows])),
            choice,
            spec=samples.spec,
            evaluation=evaluation,
            folds=[_without_seconds(record) for record in records],
            training={
                "symbol": candles.key.symbol,
                "timeframe": candles.key.timeframe.value,
                "profile": request.training.name,
                "rounds": request.training.rounds,
                "seed": request.seed,
                "data_sha256": data_hash,
                "first_candle": candles.first_open_time.isoformat(),
                "last_candle": candles.last_open_time.isoformat(),
            },
        )
        advanced("final model", total, total)
        return TrainedModel(bundle=bundle, spec=samples.spec, evaluation=evaluation, folds=tuple(records), data_hash=data_hash)


def _record(
    samples: Samples, fold: Fold, *, seed: int, best_iterations: dict[str, float], metrics: dict[str, float], seconds: float
) -> FoldRecord:
    def opens(row: int) -> datetime:
        return from_milliseconds(int(samples.open_times[row]))

    return FoldRecord(
        index=fold.index,
        train_first=opens(fold.train.start),
        train_last=opens(fold.train.stop - 1),
        test_first=opens(fold.test.start),
        test_last=opens(fold.test.stop - 1),
        train_rows=len(fold.train),
        test_rows=len(fold.test),
        seed=seed,
        best_iterations=best_iterations,
        metrics=metrics,
        seconds=seconds,
    )


def _without_seconds(record: FoldRecord) -> dict[str, Any]:
    raw = encode(record)
    del raw["seconds"]
    return raw
