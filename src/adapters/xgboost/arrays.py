"""Array types of this adapter."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]
I64: TypeAlias = NDArray[np.int64]
I8: TypeAlias = NDArray[np.int8]

LEVELS: Final = (0.1, 0.5, 0.9)
"""Quantile levels of every range forecast."""

SIDES: Final = ("high", "low")
"""The two targets, delta-high and delta-low."""

CHUNK: Final = 512


def gram(left: F64, right: F64) -> F64:
    """``left.T @ right`` for many rows, in one order of summation: BLAS shares large products out to threads, small ones never."""
    total = np.zeros((left.shape[1], right.shape[1]))
    for start in range(0, len(left), CHUNK):
        total += left[start : start + CHUNK].T @ right[start : start + CHUNK]
    return total


def f64(view: memoryview) -> F64:
    """Read a column without a copy."""
    return np.asarray(view, dtype=np.float64)
