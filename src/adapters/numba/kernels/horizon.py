"""What depends on the horizon: group 7, the time-of-day ratio and the rest of group 9."""

from __future__ import annotations

from math import log
from typing import Final

from adapters.numba.compiled import Floats, Singles, compiled
from adapters.numba.kernels.base import SUM_RANGE, SUM_SQUARE

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
    for row in range(len(scale)):
        i = first + row
        stop = i + 1
        start = stop - horizon
        square = (head[SUM_SQUARE, stop] - head[SUM_SQUARE, start]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, start])
        reach = (head[SUM_RANGE, stop] - head[SUM_RANGE, start]) + (tail[SUM_RANGE, stop] - tail[SUM_RANGE, start])
        per_unit = 1.0 / scale[row]
        block[0, row] = log(highest[row] / close[i - horizon]) * per_unit
        block[1, row] = log(close[i - horizon] / lowest[row]) * per_unit
        block[2, row] = log(ratio[row])
        block[3, row] = (max(square, 0.0) / horizon) ** 0.5 / atr[row]
        block[4, row] = (max(reach, 0.0) / (_PARKINSON * horizon)) ** 0.5 / atr[row]
        block[5, row] = ratio[row]
