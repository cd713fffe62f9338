"""Group 6: the shape of the distribution of returns."""

from __future__ import annotations

from math import sqrt
from typing import Final

from adapters.numba.compiled import Floats, Singles, compiled
from adapters.numba.kernels.base import RETURN, SUM_CUBE, SUM_FOURTH, SUM_LAGGED, SUM_RETURN, SUM_SQUARE

_LEAST_SPREAD: Final = 1e-8
_LEAST_VARIANCE: Final = 1e-18


@compiled
def moments(block: Singles, candle: Floats, head: Floats, tail: Floats, first: int, window: int) -> None:
    """Fill 3 rows of ``block``: lag-1 autocorrelation, skewness and kurtosis of the last ``window`` returns.

    All are 0 where the variance is below ``1e-8`` of the mean square (a steady drift) or of nothing: no shape to speak of.
    """
    for row in range(block.shape[1]):
        stop = first + row + 1
        start = stop - window
        mean = ((head[SUM_RETURN, stop] - head[SUM_RETURN, start]) + (tail[SUM_RETURN, stop] - tail[SUM_RETURN, start])) / window
        square = ((head[SUM_SQUARE, stop] - head[SUM_SQUARE, start]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, start])) / window
        variance = square - mean * mean
        if variance <= _LEAST_SPREAD * square or variance <= _LEAST_VARIANCE:
            block[0, row] = 0.0
            block[1, row] = 0.0
            block[2, row] = 0.0
            continue
        cube = ((head[SUM_CUBE, stop] - head[SUM_CUBE, start]) + (tail[SUM_CUBE, stop] - tail[SUM_CUBE, start])) / window
        fourth = ((head[SUM_FOURTH, stop] - head[SUM_FOURTH, start]) + (tail[SUM_FOURTH, stop] - tail[SUM_FOURTH, start])) / window
        lagged = (head[SUM_LAGGED, stop] - head[SUM_LAGGED, start + 1]) + (tail[SUM_LAGGED, stop] - tail[SUM_LAGGED, start + 1])
        total = mean * window
        # The sum of (r_k - m)(r_{k-1} - m) over the window - 1 pairs inside it.
        pairs = lagged - mean * ((total - candle[RETURN, start]) + (total - candle[RETURN, stop - 1])) + mean * mean * (window - 1)
        block[0, row] = pairs / (variance * window)
        block[1, row] = (cube - 3.0 * mean * square + 2.0 * mean * mean * mean) / (variance * sqrt(variance))
        block[2, row] = (fourth - 4.0 * mean * cube + 6.0 * mean * mean * square - 3.0 * mean * mean * mean * mean) / (
            variance * variance
        )
