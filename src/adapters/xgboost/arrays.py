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


def f64(view: memoryview) -> F64:
    """Read a column without a copy."""
    return np.asarray(view, dtype=np.float64)
