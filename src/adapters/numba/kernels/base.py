"""What the other kernels start from: log prices of each candle and running sums of them."""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Singles, compiled
from adapters.numba.kernels.inlined import ln, window_sums

# Rows of ``candle`` below.
RETURN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
TRUE_RANGE: Final = 4
CANDLE_ROWS: Final = 5

# Rows of ``head`` and ``tail`` below.
SUM_RETURN: Final = 0
SUM_SQUARE: Final = 1
SUM_CUBE: Final = 2
SUM_FOURTH: Final = 3
SUM_LAGGED: Final = 4
SUM_UPSIDE: Final = 5
SUM_RANGE: Final = 6
SUM_BODY: Final = 7
SUM_ROGERS_SATCHELL: Final = 8
SUM_VOLUME: Final = 9
SUM_ROWS: Final = 10

_TILE: Final = 16


@compiled
def decompose(
    open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats, candle: Floats, head: Floats, tail: Floats
) -> None:
    """Fill ``candle`` (CANDLE_ROWS, n) and the running sums ``head`` and ``tail`` (SUM_ROWS, n + 1).

    ``candle`` holds ln(C/C_prev), ln(H/O), ln(L/O), ln(C/O) and the log true range. The sum of candles i-w+1..i is
    ``(head[i+1] - head[i+1-w]) + (tail[i+1] - tail[i+1-w])``: the tail holds what each addition rounded off (Knuth's two-sum),
    so a window's sum depends neither on where the series began nor on what was in it before, to 1e-30 of the running sum.
    """
    n = len(close)
    for i in range(n):
        candle[HIGH, i] = ln(high[i] / open_[i])
    for i in range(n):
        candle[LOW, i] = ln(low[i] / open_[i])
    for i in range(n):
        candle[CLOSE, i] = ln(close[i] / open_[i])
    changes = candle[RETURN]
    changes[0] = 0.0
    before = close[: n - 1]
    for i in range(n - 1):
        changes[i + 1] = ln(close[i + 1] / before[i])
    for i in range(n):
        gap = candle[RETURN, i] - candle[CLOSE, i] if i > 0 else 0.0
        candle[TRUE_RANGE, i] = max(candle[HIGH, i], -gap) - min(candle[LOW, i], -gap)
    term = np.empty(SUM_ROWS)
    head[:, 0] = 0.0
    tail[:, 0] = 0.0
    last = 0.0
    for i in range(n):
        change, up, down, body = candle[RETURN, i], candle[HIGH, i], candle[LOW, i], candle[CLOSE, i]
        square = change * change
        term[SUM_RETURN] = change
        term[SUM_SQUARE] = square
        term[SUM_CUBE] = square * change
        term[SUM_FOURTH] = square * square
        term[SUM_LAGGED] = change * last
        term[SUM_UPSIDE] = square if change > 0.0 else 0.0
        term[SUM_RANGE] = (up - down) * (up - down)
        term[SUM_BODY] = body * body
        term[SUM_ROGERS_SATCHELL] = up * (up - body) + down * (down - body)
        term[SUM_VOLUME] = volume[i]
        last = change
        for q in range(SUM_ROWS):
            total = head[q, i]
            larger = total + term[q]
            virtual = larger - total
            head[q, i + 1] = larger
            tail[q, i + 1] = tail[q, i] + ((total - (larger - virtual)) + (term[q] - virtual))


@compiled
def scales(head: Floats, tail: Floats, first: int, day: int, floor: float, scale: Floats) -> None:
    """Fill ``scale`` with s = sqrt(mean r^2 over D), at least ``floor``, for candles ``first`` and later."""
    window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, day, scale)
    for row in range(len(scale)):
        scale[row] = max(sqrt(max(scale[row], 0.0) / day), floor)


@compiled
def extremes(high: Floats, low: Floats, first: int, window: int, highest: Floats, lowest: Floats) -> None:
    """Fill the highest high and the lowest low of the last ``window`` candles, for candles ``first`` and later.

    Three comparisons a candle for any window (van Herk 1992, Gil & Werman 1993): blocks of ``window`` candles, a running
    maximum from each block's start and one from its end; every window is the end of one block and the start of the next.
    """
    rows = len(highest)
    origin = first - window + 1
    length = rows + window - 1
    for block in range(0, rows, window):
        last = min(block + window, length) - 1
        top = high[origin + last]
        bottom = low[origin + last]
        for k in range(last, block - 1, -1):
            top = max(top, high[origin + k])
            bottom = min(bottom, low[origin + k])
            if k < rows:
                highest[k] = top
                lowest[k] = bottom
    for block in range(0, length, window):
        top = high[origin + block]
        bottom = low[origin + block]
        for k in range(block, min(block + window, length)):
            top = max(top, high[origin + k])
            bottom = min(bottom, low[origin + k])
            row = k - window + 1
            if row >= 0:
                highest[row] = max(top, highest[row])
                lowest[row] = min(bottom, lowest[row])


@compiled
def store(block: Singles, limit: float, out: Singles, column: int) -> None:
    """Write the columns of ``block`` as rows of ``out``, from its ``column`` on, clipped to plus and minus ``limit``."""
    rows = len(out)
    bound = np.float32(limit)
    for start in range(0, rows, _TILE):
        stop = min(start + _TILE, rows)
        for c in range(len(block)):
            for row in range(start, stop):
                out[row, column + c] = min(max(block[c, row], -bound), bound)
