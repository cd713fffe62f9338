"""What depends on the horizon: group 7, the time-of-day ratio and the rest of group 9."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Singles, compiled
from adapters.numba.kernels.base import SUM_RANGE, SUM_SQUARE
from adapters.numba.kernels.inlined import ln, window_sums

_PARKINSON: Final = 4.0 * log(2.0)


@compiled
def horizon_terms(
    block: Singles,
    close: Floats,
    highest: Floats,
    lowest: Floats,
    ratio: Floats,
    head: Floats,
    tail: Floats,
    atr: Floats,
    scale: Floats,
    first: int,
    horizon: int,
) -> None:
    """Fill 6 rows of ``block``."""
    rows = len(scale)
    total = np.empty(rows)
    before = close[first - horizon : first - horizon + rows]
    for row in range(rows):
        block[0, row] = ln(highest[row] / before[row]) / scale[row]
    for row in range(rows):
        block[1, row] = ln(before[row] / lowest[row]) / scale[row]
    for row in range(rows):
        block[2, row] = ln(ratio[row])
        block[5, row] = ratio[row]
    window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, horizon, total)
    for row in range(rows):
        block[3, row] = sqrt(max(total[row], 0.0) / horizon) / atr[row]
    window_sums(head[SUM_RANGE], tail[SUM_RANGE], first, horizon, total)
    for row in range(rows):
        block[4, row] = sqrt(max(total[row], 0.0) / (_PARKINSON * horizon)) / atr[row]
