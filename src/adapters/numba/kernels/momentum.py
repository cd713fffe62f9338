"""Group 3 (momentum, distance to extremes, upside share, volume per window) and group 4 (the last candles)."""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Integers, Singles, compiled
from adapters.numba.kernels.base import CLOSE, HIGH, LOW, RETURN, SUM_SQUARE, SUM_UPSIDE, SUM_VOLUME
from adapters.numba.kernels.inlined import ln, window_sums

_PER_WINDOW: Final = 5
_LEAST_SHARE: Final = 1e-4
_LEAST_SQUARE: Final = 1e-18
_TINY: Final = 1e-200


@compiled
def momentum(
    block: Singles,
    close: Floats,
    volume: Floats,
    highest: Floats,
    lowest: Floats,
    head: Floats,
    tail: Floats,
    scale: Floats,
    first: int,
    windows: Integers,
    has_volume: bool,
) -> None:
    """Fill 25 rows of ``block``. ``highest`` and ``lowest`` are (windows, rows)."""
    rows = len(scale)
    total = np.empty(rows)
    upside = np.empty(rows)
    price = close[first : first + rows]
    traded = volume[first : first + rows]
    for k in range(len(windows)):
        window = windows[k]
        column = k * _PER_WINDOW
        root = sqrt(float(window))
        before = close[first - window : first - window + rows]
        top = highest[k]
        bottom = lowest[k]
        out = block[column]
        for row in range(rows):
            out[row] = ln(price[row] / before[row]) / (scale[row] * root)
        out = block[column + 1]
        for row in range(rows):
            out[row] = ln(top[row] / price[row]) / (scale[row] * root)
        out = block[column + 2]
        for row in range(rows):
            out[row] = ln(price[row] / bottom[row]) / (scale[row] * root)
        window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, window, total)
        window_sums(head[SUM_UPSIDE], tail[SUM_UPSIDE], first, window, upside)
        least = _LEAST_SQUARE * window
        out = block[column + 3]
        for row in range(rows):
            share = min(max(upside[row] / max(total[row], least), 0.0), 1.0) - 0.5
            out[row] = share if total[row] > least else 0.0
        out = block[column + 4]
        out[:] = 0.0
        if has_volume:
            window_sums(head[SUM_VOLUME], tail[SUM_VOLUME], first, window, total)
            for row in range(rows):
                share = ln(max(traded[row] * window / max(total[row], _TINY), _LEAST_SHARE))
                out[row] = share if total[row] > _TINY else 0.0


@compiled
def last_candles(block: Singles, candle: Floats, scale: Floats, first: int) -> None:
    """Fill 11 rows of ``block``."""
    rows = len(scale)
    for lag in range(4):
        change = candle[RETURN, first - lag : first - lag + rows]
        for row in range(rows):
            block[lag, row] = change[row] / scale[row]
    for lag in range(3):
        top = candle[HIGH, first - lag : first - lag + rows]
        bottom = candle[LOW, first - lag : first - lag + rows]
        for row in range(rows):
            block[4 + lag, row] = (top[row] - bottom[row]) / scale[row]
    top = candle[HIGH, first : first + rows]
    bottom = candle[LOW, first : first + rows]
    close = candle[CLOSE, first : first + rows]
    for row in range(rows):
        up, down, body = top[row], bottom[row], close[row]
        block[7, row] = body / scale[row]
        block[8, row] = (up - max(body, 0.0)) / scale[row]
        block[9, row] = (min(body, 0.0) - down) / scale[row]
        block[10, row] = (body - down) / (up - down) - 0.5 if up > down else 0.0
