import threading
from functools import cache

import numpy as np
import pytest

from adapters.xgboost.baselines import har_columns, har_w_design
from adapters.xgboost.boosting import Growth
from adapters.xgboost.bundle import Reference, chosen, to_bytes
from adapters.xgboost.loader import XgboostModelLoader
from adapters.xgboost.report import Choice
from adapters.xgboost.samples import Samples, make_samples
from adapters.xgboost.walk_forward import FittedFold, fit_fold
from tests.integration.xgboost.stand_ins import StandInFeatures, StandInTargets, row_of
from tradingcore.ml.model.model_version import BASELINES, Evaluation
from tradingcore.ml.policies import plan_folds
from tradingcore.ml.ports import TrainedModel
from tradingcore.testing.markets import a_market
from tradingcore.testing.ml_models import a_training, a_version_of

EVALUATION = Evaluation(folds=1, test_rows=100, skill=dict.fromkeys(BASELINES, 0.1), coverage=0.8, metrics={})
ROWS = range(0, 600, 50)


@cache
def fitted() -> tuple[Samples, FittedFold]:
    samples = make_samples(a_training(), a_market(1_300), StandInFeatures(), StandInTargets())
    *_, production = plan_folds(samples.decisions.tolist(), samples.label_ends.tolist(), first_test=800, folds=1, margin=3_600_000)
    growth = Growth(rounds=20, seed=1, threads=1, cancelled=threading.Event())
    return samples, fit_fold(samples, production, growth, max_tree_rows=None)


@pytest.mark.parametrize("barrier", ["calibrated", "raw", "companion"])
@pytest.mark.parametrize("kind", ["ensemble", "har_w"])
def test_served_numbers_are_those_of_the_walk_forward(kind: str, barrier: str) -> None:
    samples, fold = fitted()
    choice = Choice(range=kind, barrier=barrier)
    model = chosen(fold, choice, Reference.of(samples.features))
    bundle = to_bytes(model, choice, spec=samples.spec, evaluation=EVALUATION, folds=[], training={})
    trained = TrainedModel(bundle=bundle, spec=samples.spec, evaluation=EVALUATION, folds=(), data_hash="0" * 64)
    served = XgboostModelLoader(StandInFeatures()).load(bundle, a_version_of(trained))

    columns = har_columns(samples.spec.names)
    design = har_w_design(samples.features, columns)
    batch = {side: model.ranges[side].forecast(samples.features, design, samples.atr) for side in ("high", "low")}
    chances = model.barrier.probabilities(samples.features, samples.atr, samples.scale, columns)
    matrix = StandInFeatures().matrix(a_market(1_300), samples.spec)
    for index in ROWS:
        forecast = served.predict(row_of(matrix, index, a_market(1_300)))
        assert forecast.served_by == kind
        for quantiles, mean, side in (
            (forecast.delta_high, forecast.mean_high, "high"),
            (forecast.delta_low, forecast.mean_low, "low"),
        ):
            expected = [*batch[side].quantiles[index], batch[side].mean[index]]
            assert [quantiles.low, quantiles.median, quantiles.high, mean] == pytest.approx(expected, rel=1e-12, abs=1e-15)
        got = [[one.p_take_profit, one.p_stop_loss, one.p_time] for one in forecast.barriers]
        assert np.allclose(got, chances[index], rtol=1e-12, atol=0)
        assert [one.mean_time_return for one in forecast.barriers] == pytest.approx(model.barrier.mean_time * forecast.unit)


def test_trees_that_are_not_served_are_not_in_the_bundle() -> None:
    samples, fold = fitted()
    sizes = {
        choice: len(
            to_bytes(
                chosen(fold, choice, Reference.of(samples.features)),
                choice,
                spec=samples.spec,
                evaluation=EVALUATION,
                folds=[],
                training={},
            )
        )
        for choice in (Choice(range="ensemble", barrier="raw"), Choice(range="har_w", barrier="companion"))
    }
    large, small = sizes.values()
    assert small < large / 5
