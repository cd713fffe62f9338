"""P3: one forecast by all models of a symbol, against bare ``Booster.inplace_predict`` calls on ready rows. At most 1.3x.

Two horizons, trained on a simulated market; ``n`` is the number of booster calls of one forecast.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
import xgboost as xgb

from adapters.market_data.simulated import SimulatedMarket
from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.targets import NumbaTargetCalculator
from adapters.xgboost.arrays import F32
from adapters.xgboost.barrier_model import tree_rows
from adapters.xgboost.bundle import FittedModel, from_bundle
from adapters.xgboost.loader import XgboostModelLoader, XgboostServedModel
from adapters.xgboost.trainer import XgboostModelTrainer
from benchmarks._measure import alternate, report
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, Timeframe, symbol_code
from tradingcore.ml.ids import ModelId, ModelVersionId
from tradingcore.ml.model.bundle import digest_of, open_bundle
from tradingcore.ml.model.features import SeriesProfile
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import DEMO, TrainedModel, TrainingProgress, TrainingRequest

PROFILE: Final = SeriesProfile(
    key=SeriesKey(symbol_code("BTC/USDT"), Timeframe.H1), asset_class=AssetClass.CRYPTO, calendar=Calendar.ALWAYS
)
START: Final = datetime(2024, 1, 1, tzinfo=UTC)
LENGTH: Final = timedelta(days=365)
HORIZONS: Final = (4, 24)
RUNS: Final = 15
TIMES: Final = 100


class Silent(TrainingProgress):
    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        pass


def trained(candles: CandleSeries, horizon: int) -> TrainedModel:
    trainer = XgboostModelTrainer(NumbaFeatureCalculator(), NumbaTargetCalculator())
    request = TrainingRequest(profile=PROFILE, horizon=horizon, training=DEMO, seed=1)
    return asyncio.run(trainer.train(request, candles, Silent()))


def served(model: TrainedModel, candles: CandleSeries) -> XgboostServedModel:
    version = ModelVersion(
        id=ModelVersionId(UUID(int=1)),
        model_id=ModelId(UUID(int=2)),
        symbol=candles.key.symbol,
        timeframe=candles.key.timeframe,
        horizon=model.spec.horizon,
        number=1,
        created_at=START,
        bundle_sha256=digest_of(model.bundle),
        feature_spec_hash=model.spec.hash,
        feature_names=model.spec.names,
        data_hash=model.data_hash,
        data_first=candles.first_open_time,
        data_last=candles.last_open_time,
        code_version="benchmark",
        seed=1,
        profile="demo",
        evaluation=model.evaluation,
        folds=model.folds,
    )
    return XgboostModelLoader(NumbaFeatureCalculator()).load(model.bundle, version)


def bare_calls(model: FittedModel, row: F32) -> list[tuple[xgb.Booster, F32]]:
    """The boosters of a model, each with the rows that it needs, ready."""
    calls = [
        (booster, row)
        for side in model.ranges.values()
        if side.trees is not None
        for booster in (side.trees.quantiles, side.trees.mean, side.trees.har_quantiles)
    ]
    return calls if model.barrier.trees is None else [*calls, (model.barrier.trees, tree_rows(row))]


def main() -> None:
    features = NumbaFeatureCalculator()
    candles = SimulatedMarket(seed=1).candles(PROFILE.key, START, START + LENGTH)
    models = [trained(candles, horizon) for horizon in HORIZONS]
    rows = features.window(candles, [model.spec for model in models])
    ready = list(zip([served(model, candles) for model in models], rows, strict=True))
    calls: list[tuple[xgb.Booster, F32]] = []
    for model, row in zip(models, rows, strict=True):
        bundle = open_bundle(model.bundle, digest=digest_of(model.bundle), library_version=xgb.__version__, knows=features.knows)
        calls += bare_calls(from_bundle(bundle), np.asarray(row.values, dtype=np.float32).reshape(1, -1))

    def ours() -> None:
        for model, row in ready:
            model.predict(row)

    def theirs() -> None:
        for booster, values in calls:
            booster.inplace_predict(values)

    ours()
    theirs()
    measured = alternate(ours, theirs, runs=RUNS, times=TIMES)
    report("P3 predict", measured, n=len(calls), packages=("xgboost-cpu", "numpy"), limit=1.3)


if __name__ == "__main__":
    main()
