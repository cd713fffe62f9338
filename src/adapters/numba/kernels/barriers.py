"""The triple barrier of ml.md S6."""

from __future__ import annotations

from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.numba.compiled import Floats, Integers, compiled

TAKE_PROFIT: Final = 0
STOP_LOSS: Final = 1
TIME_OUT: Final = 2
OPEN: Final = -1


@compiled
def triple_barrier(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    unit: Floats,
    horizon: int,
    side: int,
    k_take_profit: float,
    k_stop_loss: float,
    label: NDArray[np.int8],
    realised: Floats,
    exit_index: Integers,
    ambiguous: Integers,
) -> None:
    """Fill ``label``, ``realised`` and ``exit_index`` (n each) and add the candles that held both levels to ``ambiguous[0]``."""
    n = len(close)
    for i in range(n):
        label[i] = OPEN
        realised[i] = np.nan
        exit_index[i] = -1
        if i + horizon >= n or not unit[i] >= 0.0:
            continue
        target = close[i] * exp(side * k_take_profit * unit[i])
        stop = close[i] * exp(-side * k_stop_loss * unit[i])
        fill = open_[i + 1]
        for j in range(i + 1, i + horizon + 1):
            worst = low[j] if side > 0 else high[j]
            best = high[j] if side > 0 else low[j]
            if side * (open_[j] - stop) <= 0.0:
                label[i] = STOP_LOSS
                price = open_[j]
            elif j == i + 1 and side * (open_[j] - target) >= 0.0:
                label[i] = TAKE_PROFIT
                price = open_[j]
            elif side * (worst - stop) <= 0.0:
                label[i] = STOP_LOSS
                price = stop
                if side * (best - target) >= 0.0:
                    ambiguous[0] += 1
            elif side * (best - target) >= 0.0:
                label[i] = TAKE_PROFIT
                price = target
            elif j == i + horizon:
                label[i] = TIME_OUT
                price = close[j]
            else:
                continue
            realised[i] = side * log(price / fill)
            exit_index[i] = j
            break
