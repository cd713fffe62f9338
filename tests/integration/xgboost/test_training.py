import asyncio
import io
import zipfile
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from adapters.xgboost.loader import XgboostModelLoader, XgboostServedModel
from adapters.xgboost.trainer import XgboostModelTrainer
from tests.integration.xgboost.stand_ins import StandInFeatures, StandInTargets, row_of
from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.errors import BundleRefused, DataUnfit, FeatureSpecMismatch, NotEnoughHistory
from tradingcore.ml.model.bundle import JSON_MEMBERS, TREE_MEMBERS, digest_of, open_bundle, pack
from tradingcore.ml.ports import DEMO, TrainedModel, TrainingRequest
from tradingcore.testing.markets import a_market
from tradingcore.testing.ml_models import SMALL, HeardProgress, a_training, a_version_of

CANDLES = 1_300


def train(
    candles: CandleSeries | None = None,
    request: TrainingRequest | None = None,
    *,
    features: StandInFeatures | None = None,
    targets: StandInTargets | None = None,
    threads: int = 1,
) -> TrainedModel:
    trainer = XgboostModelTrainer(features or StandInFeatures(), targets or StandInTargets(), threads=threads)
    return asyncio.run(trainer.train(request or a_training(), candles or a_market(CANDLES), HeardProgress()))


@cache
def trained() -> TrainedModel:
    return train()


def served(model: TrainedModel) -> XgboostServedModel:
    return XgboostModelLoader(StandInFeatures()).load(model.bundle, a_version_of(model))


def test_number_of_threads_does_not_change_the_bundle() -> None:
    # Few rounds: threads that wait for each other in a loop are slow on a busy machine.
    request = a_training(training=replace(SMALL, folds=1, rounds=3))
    assert train(request=request, threads=2).bundle == train(request=request).bundle


def test_clock_and_place_leave_no_trace_in_the_bundle() -> None:
    with zipfile.ZipFile(io.BytesIO(trained().bundle)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"seconds" not in archive.read("metrics.json")


def test_volatility_that_clusters_can_be_forecast() -> None:
    evaluation = trained().evaluation
    assert evaluation.skill["mean"] > 0.03
    assert evaluation.skill["persistence"] > 0.15
    assert evaluation.metrics["r2"] > 0.03
    assert 0.7 < evaluation.coverage < 0.9


def test_permuted_outcomes_leave_no_skill() -> None:
    model = train(targets=StandInTargets(shuffle=True))
    assert model.evaluation.skill["mean"] <= 0.005
    assert 0.42 < model.evaluation.metrics["direction_auc"] < 0.58


def test_planted_leak_lights_up() -> None:
    leaky = train(features=StandInFeatures(leak=True)).evaluation
    assert leaky.skill["har_w"] > trained().evaluation.skill["har_w"] + 0.05
    assert leaky.metrics["direction_auc"] > 0.65


def test_history_that_is_too_short_for_the_folds_is_counted() -> None:
    with pytest.raises(NotEnoughHistory, match=r"TEST/USD:1h has 700 candles.*3 folds needs at least 1047"):
        train(a_market(700), a_training(training=DEMO))


def test_price_that_never_moves_is_unfit() -> None:
    flat = a_market(CANDLES)
    price = np.full(len(flat), 100.0).data
    with pytest.raises(DataUnfit, match="the price does not move"):
        train(replace(flat, open=price, high=price, low=price, close=price))


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("open_times", 0, "does not come after the candle before it"),
        ("close", -1.0, "has a price that is not a number above zero"),
        ("close", float("nan"), "has a price that is not a number above zero"),
        ("high", 0.001, "has an open or close outside its low and high"),
    ],
)
def test_broken_candles_are_named(column: str, value: float, sentence: str) -> None:
    candles = a_market(CANDLES)
    broken = np.array(getattr(candles, column))
    broken[300] = value
    overrides: dict[str, Any] = {column: broken.data.toreadonly()}
    with pytest.raises(DataUnfit, match=f"TEST/USD:1h: candle .* {sentence}"):
        train(replace(candles, **overrides))


def test_refusals_say_what_does_not_fit() -> None:
    model = trained()
    other = StandInFeatures().spec(a_training().profile, horizon=8, has_volume=False)
    (row,) = StandInFeatures().window(a_market(CANDLES), [other])
    with pytest.raises(FeatureSpecMismatch, match="needs features of spec"):
        served(model).predict(row)
    with pytest.raises(BundleRefused, match="does not compute its features"):
        XgboostModelLoader(StandInFeatures(known_version="2")).load(model.bundle, a_version_of(model))
    with pytest.raises(BundleRefused, match="not those of"):
        XgboostModelLoader(StandInFeatures()).load(model.bundle, a_version_of(model, feature_spec_hash="0" * 64))


def test_trees_over_other_columns_are_refused() -> None:
    model = trained()
    digest = digest_of(model.bundle)
    bundle = open_bundle(model.bundle, digest=digest, library_version=xgb.__version__, knows=StandInFeatures().knows)
    documents = {name: content for name, content in bundle.members.items() if name in JSON_MEMBERS}
    wrong = dict.fromkeys(TREE_MEMBERS["range"]["ensemble"], a_tree_over_one_column())
    kinds = {"range": "ensemble", "barrier": "companion"}
    content = pack(documents | wrong, kinds=kinds, library_version="3.0.0", kernel_version="1", training={})
    with pytest.raises(BundleRefused, match="trees over 1 columns instead of 11"):
        XgboostModelLoader(StandInFeatures()).load(content, a_version_of(model, bundle_sha256=digest_of(content)))


def a_tree_over_one_column() -> bytes:
    rows = np.arange(10.0).reshape(-1, 1)
    booster = xgb.train({"verbosity": 0, "nthread": 1}, xgb.QuantileDMatrix(rows, rows[:, 0]), num_boost_round=1)
    return bytes(booster.save_raw("ubj"))


def test_row_like_no_other_is_out_of_distribution() -> None:
    candles = a_market(CANDLES)
    model = served(trained())
    matrix = StandInFeatures().matrix(candles, model.spec)
    strange = replace(row_of(matrix, 5, candles), values=np.full(len(model.spec.names), 50, dtype=np.float32).data)
    flags = [model.predict(row_of(matrix, index, candles)).is_out_of_distribution for index in range(0, 1_000, 10)]
    assert model.predict(strange).is_out_of_distribution
    assert sum(flags) <= 1
