import numpy as np
import pytest

from adapters.xgboost import evaluation, softmax
from adapters.xgboost.baselines import RIDGE, HarW, RangeForecast, least_squares
from adapters.xgboost.range_model import Offsets


def test_pinball_is_the_mean_over_the_three_levels() -> None:
    loss = evaluation.pinball(np.array([1.0]), np.array([[0.0, 2.0, 4.0]]))
    assert loss[0] == pytest.approx((0.1 * 1 + 0.5 * 1 + 0.1 * 3) / 3)


def test_pinball_is_smallest_at_the_true_quantiles() -> None:
    outcomes = np.random.default_rng(1).exponential(size=20_000)
    true = np.quantile(outcomes, (0.1, 0.5, 0.9))

    def loss(quantiles: np.ndarray) -> float:
        return float(evaluation.pinball(outcomes, np.tile(quantiles, (len(outcomes), 1))).mean())

    assert all(loss(true) < loss(true + shift) for shift in (-0.2, -0.05, 0.05, 0.2))


def test_auc_counts_the_pairs_in_order_and_half_the_ties() -> None:
    chance = np.random.default_rng(2)
    score, positive = chance.integers(0, 5, 60).astype(float), chance.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    assert evaluation.auc(score, positive) == pytest.approx(np.mean(pairs))
    assert evaluation.auc(score, np.zeros(60, dtype=bool)) == 0.5


def test_calibration_error_is_zero_for_true_chances_and_not_for_bold_ones() -> None:
    chance = np.random.default_rng(3)
    truth = chance.random(50_000)
    happened = chance.random(50_000) < truth
    assert evaluation.calibration_error(truth, happened) < 0.01
    assert evaluation.calibration_error(np.clip(truth * 2 - 0.5, 0, 1), happened) > 0.1


def test_overlapping_losses_count_for_less_in_the_test_of_two_forecasts() -> None:
    noise = np.random.default_rng(4).normal(0.05, 1, 4_000)
    overlapping = np.convolve(noise, np.ones(8) / 8, mode="valid")
    zero = np.zeros_like(overlapping)
    naive, robust = (evaluation.diebold_mariano(overlapping, zero, lag=lag) for lag in (0, 16))
    assert 0 < robust < naive / 2
    assert evaluation.diebold_mariano(zero, zero, lag=4) == 0


def test_skill_and_r_squared_are_zero_for_the_reference_itself() -> None:
    delta = np.array([1.0, 2.0, 4.0])
    reference = np.full(3, 2.0)
    assert evaluation.r_squared(delta, reference, reference) == 0
    assert evaluation.r_squared(delta, delta, reference) == 1
    assert evaluation.skill(delta / 2, delta) == 0.5


def test_ridge_finds_the_coefficients_it_was_made_from() -> None:
    design = np.column_stack([np.random.default_rng(5).normal(size=(2_000, 3)), np.ones(2_000)])
    wanted = np.array([1.0, -2.0, 0.5, 3.0])
    assert least_squares(design, design @ wanted, ridge=RIDGE) == pytest.approx(wanted, rel=2e-3)


def test_har_w_survives_its_json() -> None:
    chance = np.random.default_rng(6)
    design, atr = np.abs(chance.normal(size=(500, 15))), np.full(500, 0.01)
    model = HarW.fit(design, atr, atr * chance.exponential(size=500))
    again = HarW.from_json(model.to_json())
    scale = again.scale(design, atr)
    assert np.array_equal(scale, model.scale(design, atr))
    assert np.array_equal(again.forecast(scale).quantiles, model.forecast(scale).quantiles)


def test_conformal_offsets_bring_the_interval_to_its_level() -> None:
    delta = np.random.default_rng(7).normal(size=5_000)
    narrow = RangeForecast(np.tile([-0.5, 0.0, 0.5], (5_000, 1)), np.zeros(5_000))
    atr = np.full(5_000, 2.0)
    offsets = Offsets.conformal(narrow, delta, atr)
    held = evaluation.coverage(delta, offsets.apply(narrow, atr).quantiles)
    assert held.mean() == pytest.approx(0.8, abs=0.002)


def test_corrected_quantiles_never_cross() -> None:
    crossing = Offsets(-9.0, -9.0).apply(RangeForecast(np.array([[0.0, 1.0, 2.0]]), np.ones(1)), np.ones(1))
    assert list(crossing.quantiles[0]) == sorted(crossing.quantiles[0])


def test_logistic_regression_meets_its_first_order_condition() -> None:
    chance = np.random.default_rng(8)
    design = np.column_stack([chance.normal(size=(3_000, 2)), np.ones(3_000)])
    truth = softmax.probabilities(design, np.array([[1.0, 0.0], [0.0, -1.0], [0.3, 0.1]]))
    labels = np.array([chance.choice(3, p=row) for row in truth], dtype=np.int8)
    coefficients = softmax.fit(design, labels, c=1.0)
    assert coefficients == pytest.approx(np.array([[1.0, 0.0], [0.0, -1.0], [0.3, 0.1]]), abs=0.2)
    slack = softmax.probabilities(design, coefficients)[:, :2] - (labels[:, None] == np.arange(2))
    gradient = design.T @ slack + np.array([[1.0], [1.0], [0.0]]) * coefficients
    assert np.abs(gradient).max() < 1e-5
