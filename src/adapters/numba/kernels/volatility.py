"""Levels and windows of volatility: groups 1, 2 and the part of group 9 that does not depend on the horizon."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Integers, Singles, compiled
from adapters.numba.kernels.base import (
    RETURN,
    SUM_BODY,
    SUM_RANGE,
    SUM_ROGERS_SATCHELL,
    SUM_SQUARE,
    SUM_UPSIDE,
    TRUE_RANGE,
)
from adapters.numba.kernels.inlined import ln, window_sums

_PARKINSON: Final = 4.0 * log(2.0)
_GARMAN_KLASS: Final = 2.0 * log(2.0) - 1.0
_FLOOR: Final = 1e-14
_ROGERS_SATCHELL_WINDOW: Final = 10
_DAY: Final = 3


@compiled
def volatility(block: Singles, head: Floats, tail: Floats, atr: Floats, scale: Floats, first: int, windows: Integers) -> None:
    """Fill 17 rows of ``block``, one column per candle from ``first`` on; ``atr`` and ``scale`` begin at ``first``."""
    rows = len(scale)
    total = np.empty(rows)
    body = np.empty(rows)
    for row in range(rows):
        block[0, row] = ln(atr[row] / scale[row])
        block[1, row] = ln(scale[row])
    column = 2
    for k in range(len(windows)):
        window = windows[k]
        out = block[column]
        if k == _DAY:
            # RV over D is s itself: its column would be constant, so Rogers-Satchell takes the place.
            window_sums(head[SUM_ROGERS_SATCHELL], tail[SUM_ROGERS_SATCHELL], first, _ROGERS_SATCHELL_WINDOW, total)
            for row in range(rows):
                mean = max(total[row] / _ROGERS_SATCHELL_WINDOW, _FLOOR)
                out[row] = 0.5 * ln(mean / (scale[row] * scale[row]))
        else:
            window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, window, total)
            for row in range(rows):
                out[row] = 0.5 * ln(max(total[row] / window, _FLOOR) / (scale[row] * scale[row]))
        window_sums(head[SUM_RANGE], tail[SUM_RANGE], first, window, total)
        out = block[column + 1]
        for row in range(rows):
            out[row] = 0.5 * ln(max(total[row] / (_PARKINSON * window), _FLOOR) / (scale[row] * scale[row]))
        window_sums(head[SUM_BODY], tail[SUM_BODY], first, window, body)
        out = block[column + 2]
        for row in range(rows):
            mean = max((0.5 * total[row] - _GARMAN_KLASS * body[row]) / window, _FLOOR)
            out[row] = 0.5 * ln(mean / (scale[row] * scale[row]))
        column += 3


@compiled
def har(block: Singles, candle: Floats, head: Floats, tail: Floats, atr: Floats, first: int, day: int, week: int) -> None:
    """Fill 6 rows of ``block``: terms of the HAR-W model in units of ATR."""
    rows = len(atr)
    total = np.empty(rows)
    upside = np.empty(rows)
    window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, week, total)
    for row in range(rows):
        block[1, row] = sqrt(max(total[row], 0.0) / week) / atr[row]
    window_sums(head[SUM_RANGE], tail[SUM_RANGE], first, day, total)
    for row in range(rows):
        block[2, row] = sqrt(max(total[row], 0.0) / (_PARKINSON * day)) / atr[row]
    window_sums(head[SUM_SQUARE], tail[SUM_SQUARE], first, day, total)
    window_sums(head[SUM_UPSIDE], tail[SUM_UPSIDE], first, day, upside)
    change = candle[RETURN, first : first + rows]
    true_range = candle[TRUE_RANGE, first : first + rows]
    for row in range(rows):
        block[0, row] = sqrt(max(total[row], 0.0) / day) / atr[row]
        block[3, row] = sqrt(max(total[row] - upside[row], 0.0) / day) / atr[row]
        block[4, row] = change[row] / atr[row]
        block[5, row] = true_range[row] / atr[row]
