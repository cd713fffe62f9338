"""Levels and windows of volatility: groups 1, 2 and the part of group 9 that does not depend on the horizon."""

from __future__ import annotations

from math import log
from typing import Final

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

_PARKINSON: Final = 4.0 * log(2.0)
_GARMAN_KLASS: Final = 2.0 * log(2.0) - 1.0
_FLOOR: Final = 1e-14
_ROGERS_SATCHELL_WINDOW: Final = 10
_DAY: Final = 3
_WEEK: Final = 4


@compiled
def volatility(block: Singles, head: Floats, tail: Floats, atr: Floats, scale: Floats, first: int, windows: Integers) -> None:
    """Fill 17 rows of ``block``, one column per candle from ``first`` on; ``atr`` and ``scale`` begin at ``first``."""
    rows = len(scale)
    for row in range(rows):
        block[0, row] = log(atr[row] / scale[row])
        block[1, row] = log(scale[row])
    column = 2
    for k in range(len(windows)):
        window = windows[k]
        for row in range(rows):
            stop = first + row + 1
            start = stop - window
            unit = scale[row] * scale[row] * window
            floor = _FLOOR * window
            square = (head[SUM_SQUARE, stop] - head[SUM_SQUARE, start]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, start])
            reach = (head[SUM_RANGE, stop] - head[SUM_RANGE, start]) + (tail[SUM_RANGE, stop] - tail[SUM_RANGE, start])
            body = (head[SUM_BODY, stop] - head[SUM_BODY, start]) + (tail[SUM_BODY, stop] - tail[SUM_BODY, start])
            if k != _DAY:
                block[column, row] = 0.5 * log(max(square, floor) / unit)
            block[column + 1, row] = 0.5 * log(max(reach / _PARKINSON, floor) / unit)
            block[column + 2, row] = 0.5 * log(max(0.5 * reach - _GARMAN_KLASS * body, floor) / unit)
        column += 3
    for row in range(rows):
        stop = first + row + 1
        start = stop - _ROGERS_SATCHELL_WINDOW
        total = (head[SUM_ROGERS_SATCHELL, stop] - head[SUM_ROGERS_SATCHELL, start]) + (
            tail[SUM_ROGERS_SATCHELL, stop] - tail[SUM_ROGERS_SATCHELL, start]
        )
        unit = scale[row] * scale[row] * _ROGERS_SATCHELL_WINDOW
        # RV over D is s itself: its column would be constant, so this one takes its place.
        block[2 + 3 * _DAY, row] = 0.5 * log(max(total, _FLOOR * _ROGERS_SATCHELL_WINDOW) / unit)


@compiled
def har(block: Singles, candle: Floats, head: Floats, tail: Floats, atr: Floats, first: int, day: int, week: int) -> None:
    """Fill 6 rows of ``block``: terms of the HAR-W model in units of ATR."""
    for row in range(len(atr)):
        i = first + row
        stop = i + 1
        start = stop - day
        monday = stop - week
        square = (head[SUM_SQUARE, stop] - head[SUM_SQUARE, start]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, start])
        weekly = (head[SUM_SQUARE, stop] - head[SUM_SQUARE, monday]) + (tail[SUM_SQUARE, stop] - tail[SUM_SQUARE, monday])
        upside = (head[SUM_UPSIDE, stop] - head[SUM_UPSIDE, start]) + (tail[SUM_UPSIDE, stop] - tail[SUM_UPSIDE, start])
        reach = (head[SUM_RANGE, stop] - head[SUM_RANGE, start]) + (tail[SUM_RANGE, stop] - tail[SUM_RANGE, start])
        block[0, row] = (max(square, 0.0) / day) ** 0.5 / atr[row]
        block[1, row] = (max(weekly, 0.0) / week) ** 0.5 / atr[row]
        block[2, row] = (max(reach, 0.0) / (_PARKINSON * day)) ** 0.5 / atr[row]
        block[3, row] = (max(square - upside, 0.0) / day) ** 0.5 / atr[row]
        block[4, row] = candle[RETURN, i] / atr[row]
        block[5, row] = candle[TRUE_RANGE, i] / atr[row]
