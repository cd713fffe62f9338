"""Group 3 (momentum, distance to extremes, upside share, volume per window) and group 4 (the last candles)."""

from __future__ import annotations

from math import log
from typing import Final

from adapters.numba.compiled import Floats, Integers, Singles, compiled
from adapters.numba.kernels.base import CLOSE, HIGH, LOW, RETURN, SUM_SQUARE, SUM_UPSIDE, SUM_VOLUME

_PER_WINDOW: Final = 5
_LEAST_SHARE: Final = 1e-4


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
    for k in range(len(windows)):
        window = windows[k]
        root = window**0.5
        column = k * _PER_WINDOW
        for row in range(len(scale)):
            i = first + row
            stop = i + 1
            start = stop - window
            per_unit = 1.0 / (scale[row] * root)
            block[column, row] = log(close[i] / close[i - window]) * per_unit
            block[column + 1, row] = log(highest[k, row] / close[i]) * per_unit
            block[column + 2, row] = log(close[i] / lowest[k, row]) * per_unit
            square = (head[SUM_SQUARE, stop] - head[SUM_SQUARE, start]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, start])
            upside = (head[SUM_UPSIDE, stop] - head[SUM_UPSIDE, start]) + (tail[SUM_UPSIDE, stop] - tail[SUM_UPSIDE, start])
            block[column + 3, row] = min(max(upside / square, 0.0), 1.0) - 0.5 if square > 1e-18 * window else 0.0
            share = 0.0
            if has_volume:
                total = (head[SUM_VOLUME, stop] - head[SUM_VOLUME, start]) + (tail[SUM_VOLUME, stop] - tail[SUM_VOLUME, start])
                if total > 0.0:
                    share = log(max(volume[i] * window / total, _LEAST_SHARE))
            block[column + 4, row] = share


@compiled
def last_candles(block: Singles, candle: Floats, scale: Floats, first: int) -> None:
    """Fill 11 rows of ``block``."""
    for row in range(len(scale)):
        i = first + row
        per_unit = 1.0 / scale[row]
        for lag in range(4):
            block[lag, row] = candle[RETURN, i - lag] * per_unit
        for lag in range(3):
            block[4 + lag, row] = (candle[HIGH, i - lag] - candle[LOW, i - lag]) * per_unit
        up = candle[HIGH, i]
        down = candle[LOW, i]
        body = candle[CLOSE, i]
        block[7, row] = body * per_unit
        block[8, row] = (up - max(body, 0.0)) * per_unit
        block[9, row] = (min(body, 0.0) - down) * per_unit
        block[10, row] = (body - down) / (up - down) - 0.5 if up > down else 0.0
