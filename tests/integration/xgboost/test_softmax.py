from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.xgboost import softmax

ROWS = 400


def a_sample(seed: int, *, columns: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A design with a column of ones at the end, and labels that depend on it."""
    random = np.random.default_rng(seed)
    design = np.column_stack([random.normal(size=(ROWS, columns)), np.ones(ROWS)])
    truth = random.normal(size=(columns + 1, softmax.FREE))
    chance = softmax.probabilities(design, truth)
    labels = np.array([random.choice(3, p=row) for row in chance], dtype=np.int8)
    return design, labels


def penalised_loss(design: np.ndarray, labels: np.ndarray, coefficients: np.ndarray, *, c: float) -> float:
    chance = softmax.probabilities(design, coefficients)[np.arange(len(labels)), labels]
    return float(-c * np.log(chance).sum() + (coefficients[:-1] ** 2).sum() / 2)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), c=st.sampled_from([0.01, 1.0, 100.0]))
def test_no_small_step_in_any_direction_lowers_the_penalised_loss(seed: int, c: float) -> None:
    design, labels = a_sample(seed)
    fitted = softmax.fit(design, labels, c=c)
    least = penalised_loss(design, labels, fitted, c=c)
    for index in np.ndindex(*fitted.shape):
        for step in (-1e-3, 1e-3):
            moved = fitted.copy()
            moved[index] += step
            assert penalised_loss(design, labels, moved, c=c) > least - 1e-9


def test_probabilities_are_those_of_the_classes_when_only_the_constant_is_known() -> None:
    labels = np.array([0] * 10 + [1] * 30 + [2] * 60, dtype=np.int8)
    design = np.ones((100, 1))
    chance = softmax.probabilities(design, softmax.fit(design, labels, c=1.0))
    assert chance[0] == pytest.approx([0.1, 0.3, 0.6], abs=1e-6)


def test_large_logits_do_not_overflow() -> None:
    chance = softmax.probabilities(np.array([[1e4, 1.0]]), np.array([[1.0, -1.0], [0.0, 0.0]]))
    assert chance == pytest.approx(np.array([[1.0, 0.0, 0.0]]))
