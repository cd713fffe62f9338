"""Multinomial logistic regression by Newton's method: small, exact, and the same on every machine and number of threads.

Classes are 0, 1 and 2; class 2 is the reference with logit 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from adapters.xgboost.arrays import F64, I8, gram

ITERATIONS: Final = 30
TOLERANCE: Final = 1e-8
FREE: Final = 2


def probabilities(design: F64, coefficients: F64) -> F64:
    """Class probabilities (rows, 3) of a design (rows, p) and coefficients (p, 2)."""
    logits = np.concatenate([np.einsum("np,pk->nk", design, coefficients), np.zeros((len(design), 1))], axis=1)
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit(design: F64, labels: I8, *, c: float) -> F64:
    """Return coefficients (p, 2) that minimise ``c x log-loss + |coefficients|^2 / 2``; the last column is 1, unpenalised."""
    width = design.shape[1]
    target = (labels[:, None] == np.arange(FREE)).astype(np.float64)
    penalty = np.full(width, 1.0 / c)
    penalty[-1] = 1e-9
    coefficients = np.zeros((width, FREE))
    for _ in range(ITERATIONS):
        chance = probabilities(design, coefficients)[:, :FREE]
        gradient = gram(design, chance - target) + penalty[:, None] * coefficients
        hessian = np.empty((FREE * width, FREE * width))
        for a in range(FREE):
            for b in range(a, FREE):
                weight = chance[:, a] * ((a == b) - chance[:, b])
                block = gram(design * weight[:, None], design)
                hessian[a * width : (a + 1) * width, b * width : (b + 1) * width] = block
                hessian[b * width : (b + 1) * width, a * width : (a + 1) * width] = block
        hessian += np.diag(np.tile(penalty, FREE))
        step = np.linalg.solve(hessian, gradient.T.ravel()).reshape(FREE, width).T
        coefficients -= step
        if np.abs(step).max() < TOLERANCE:
            break
    return coefficients
