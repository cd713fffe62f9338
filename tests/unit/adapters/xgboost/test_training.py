import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from adapters.xgboost.loader import XgboostModelLoader, XgboostServedModel
from adapters.xgboost.trainer import XgboostModelTrainer
from tests.unit.adapters.xgboost.stand_ins import SMALL, StandInFeatures, StandInTargets, a_market, a_request, row_of
from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.ml.errors import BundleRefused, DataUnfit, FeatureSpecMismatch, NotEnoughHistory
from tradingcore.ml.model.bundle import JSON_MEMBERS, TREE_MEMBERS, digest_of, open_bundle, pack
from tradingcore.ml.model.model_version import BASELINES, ModelVersion
from tradingcore.ml.ports import DEMO, TrainedModel, TrainingProgress, TrainingRequest
from tradingcore.testing.builders import a_model, a_model_version


@dataclass
class Heard(TrainingProgress):
    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        self.steps.append((step, done, total))


def train(
    candles: CandleSeries | None = None,
    request: TrainingRequest | None = None,
    *,
    features: StandInFeatures | None = None,
    targets: StandInTargets | None = None,
    threads: int = 1,
    progress: Heard | None = None,
) -> TrainedModel:
    trainer = XgboostModelTrainer(features or StandInFeatures(), targets or StandInTargets(), threads=threads)
    return asyncio.run(trainer.train(request or a_request(), candles or a_market(), progress or Heard()))


@cache
def trained() -> TrainedModel:
    return train()


def a_version(model: TrainedModel, **overrides: Any) -> ModelVersion:
    fields: dict[str, Any] = {
        "horizon": model.spec.horizon,
        "bundle_sha256": digest_of(model.bundle),
        "feature_spec_hash": model.spec.hash,
    }
    return replace(a_model_version(a_model(horizon=model.spec.horizon)), **(fields | overrides))


def served(model: TrainedModel) -> XgboostServedModel:
    return XgboostModelLoader(StandInFeatures()).load(model.bundle, a_version(model))


def test_trained_model_loads_and_forecasts_the_next_candles() -> None:
    model, candles = trained(), a_market()
    (row,) = StandInFeatures().window(candles, [model.spec])
    version = a_version(model)
    forecast = XgboostModelLoader(StandInFeatures()).load(model.bundle, version).predict(row)
    assert (forecast.horizon, forecast.model_version, forecast.bundle_sha256) == (4, version.label, version.bundle_sha256)
    assert 0 < forecast.delta_high.median < forecast.delta_high.high < 0.1
    assert forecast.unit == pytest.approx(row.scale * 2)
    assert [(one.side, one.k_take_profit, one.k_stop_loss) for one in forecast.barriers] == [
        (1, 1.0, 1.0),
        (-1, 1.0, 1.0),
        (1, 1.5, 0.75),
        (-1, 1.5, 0.75),
    ]
    for barrier in forecast.barriers:
        assert barrier.p_take_profit + barrier.p_stop_loss + barrier.p_time == pytest.approx(1)
    assert (forecast.interval_coverage, forecast.sample_size) == (model.evaluation.coverage, model.evaluation.test_rows)
    assert not forecast.is_out_of_distribution


def test_evaluation_measures_against_every_baseline_and_records_the_folds() -> None:
    model = trained()
    assert tuple(model.evaluation.skill) == BASELINES
    assert model.evaluation.skill["mean"] > 0.02
    assert model.evaluation.skill["persistence"] > 0.15
    assert 0.7 < model.evaluation.coverage < 0.9
    assert [fold.index for fold in model.folds] == [0, 1]
    assert model.folds[0].train_last < model.folds[0].test_first < model.folds[1].test_first
    assert sum(fold.test_rows for fold in model.folds) == model.evaluation.test_rows
    assert all(np.isfinite(value) for value in model.evaluation.metrics.values())


def test_equal_candles_request_and_seed_give_equal_bytes() -> None:
    assert train().bundle == trained().bundle


def test_another_seed_gives_another_bundle() -> None:
    assert train(request=a_request(seed=2)).bundle != trained().bundle


def test_number_of_threads_does_not_change_the_bundle() -> None:
    assert train(threads=2).bundle == trained().bundle


def test_permuted_outcomes_leave_no_skill() -> None:
    model = train(targets=StandInTargets(shuffle=True))
    assert model.evaluation.skill["mean"] <= 0.005
    assert 0.42 < model.evaluation.metrics["direction_auc"] < 0.58


def test_planted_leak_lights_up() -> None:
    leaky = train(features=StandInFeatures(leak=True)).evaluation
    assert leaky.skill["har_w"] > trained().evaluation.skill["har_w"] + 0.05
    assert leaky.metrics["direction_auc"] > 0.65


def test_progress_is_told_step_by_step() -> None:
    heard = Heard()
    train(progress=heard)
    assert [done for _, done, _ in heard.steps] == [1, 2, 3, 4]
    assert heard.steps[1] == ("fold 1 of 2", 2, 4)


async def test_training_leaves_the_loop_free_and_stops_when_cancelled() -> None:
    trainer = XgboostModelTrainer(StandInFeatures(), StandInTargets())
    endless = a_request(training=replace(SMALL, rounds=100_000, folds=5))
    task = asyncio.create_task(trainer.train(endless, a_market(2_000), Heard()))
    await asyncio.sleep(0.5)
    assert not task.done()
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < 5


def test_too_few_candles_are_counted_in_the_sentence() -> None:
    with pytest.raises(NotEnoughHistory, match=r"SIM/USD:1h has 700 candles.*3 folds needs at least 1047"):
        train(a_market(700), a_request(training=DEMO))


def test_price_that_never_moves_is_unfit() -> None:
    flat = a_market()
    price = np.full(len(flat), 100.0).data
    with pytest.raises(DataUnfit, match="the price does not move"):
        train(replace(flat, open=price, high=price, low=price, close=price))


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("open_times", 0, "does not come after the candle before it"),
        ("close", -1.0, "has a price that is not a number above zero"),
        ("close", float("nan"), "has a price that is not a number above zero"),
        ("high", 0.5, "has an open or close outside its low and high"),
    ],
)
def test_broken_candles_are_named(column: str, value: float, sentence: str) -> None:
    candles = a_market()
    broken = np.array(getattr(candles, column))
    broken[300] = value
    overrides: dict[str, Any] = {column: broken.data.toreadonly()}
    with pytest.raises(DataUnfit, match=f"SIM/USD:1h: candle .* {sentence}"):
        train(replace(candles, **overrides))


def test_row_of_other_features_is_refused() -> None:
    other = StandInFeatures().spec(a_request().profile, horizon=8, has_volume=False)
    (row,) = StandInFeatures().window(a_market(), [other])
    with pytest.raises(FeatureSpecMismatch, match="needs features of spec"):
        served(trained()).predict(row)


def test_model_of_unknown_features_or_another_version_is_refused() -> None:
    model = trained()
    with pytest.raises(BundleRefused, match="does not compute its features"):
        XgboostModelLoader(StandInFeatures(known_version="2")).load(model.bundle, a_version(model))
    with pytest.raises(BundleRefused, match="not those of"):
        XgboostModelLoader(StandInFeatures()).load(model.bundle, a_version(model, feature_spec_hash="0" * 64))
    with pytest.raises(BundleRefused, match="its bytes have changed"):
        XgboostModelLoader(StandInFeatures()).load(model.bundle[:-1], a_version(model))


def test_trees_over_other_columns_are_refused() -> None:
    model = trained()
    version = a_version(model)
    bundle = open_bundle(model.bundle, digest=version.bundle_sha256, library_version=xgb.__version__, knows=StandInFeatures().knows)
    documents = {name: content for name, content in bundle.members.items() if name in JSON_MEMBERS}
    wrong = dict.fromkeys(TREE_MEMBERS["range"]["ensemble"], a_tree_over_one_column())
    kinds = {"range": "ensemble", "barrier": "companion"}
    content = pack(documents | wrong, kinds=kinds, library_version="3.0.0", kernel_version="1", training={})
    with pytest.raises(BundleRefused, match="trees over 1 columns instead of 11"):
        XgboostModelLoader(StandInFeatures()).load(content, a_version(model, bundle_sha256=digest_of(content)))


def a_tree_over_one_column() -> bytes:
    rows = np.arange(10.0).reshape(-1, 1)
    booster = xgb.train({"verbosity": 0, "nthread": 1}, xgb.QuantileDMatrix(rows, rows[:, 0]), num_boost_round=1)
    return bytes(booster.save_raw("ubj"))


def test_row_like_no_other_is_out_of_distribution() -> None:
    candles = a_market()
    model = served(trained())
    matrix = StandInFeatures().matrix(candles, model.spec)
    strange = replace(row_of(matrix, 5, candles), values=np.full(len(model.spec.names), 50, dtype=np.float32).data)
    flags = [model.predict(row_of(matrix, index, candles)).is_out_of_distribution for index in range(0, 1_000, 10)]
    assert model.predict(strange).is_out_of_distribution
    assert sum(flags) <= 1


def test_one_row_and_many_threads_give_the_same_numbers() -> None:
    model, candles = served(trained()), a_market()
    matrix = StandInFeatures().matrix(candles, model.spec)
    rows = [row_of(matrix, index, candles) for index in range(0, 400, 4)]
    alone = [model.predict(row) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.predict, rows)) == alone
