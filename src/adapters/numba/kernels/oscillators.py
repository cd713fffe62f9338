"""Group 5: recursive indicators, seeded a fixed number of candles before the first row, and Bollinger bands."""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Integers, Singles, compiled
from adapters.numba.kernels.base import TRUE_RANGE
from adapters.numba.kernels.inlined import ln

ATR: Final = 0
EMA: Final = 1
MACD: Final = 4
RSI: Final = 5
ADX: Final = 8
DIRECTION: Final = 9
RECURSIVE_ROWS: Final = 10

_SETTLED: Final = 1e-12
_WIDTH_FLOOR: Final = 1e-7
_MOST_WIDTH: Final = 1e100


@compiled
def recursive(
    high: Floats,
    low: Floats,
    close: Floats,
    candle: Floats,
    start: int,
    first: int,
    periods: Integers,
    values: Floats,
) -> None:
    """Fill ``values`` (RECURSIVE_ROWS, candles from ``first`` on).

    ``periods`` are three EMA spans, MACD fast, slow and signal span, three RSI periods, ATR period and ADX period.
    ATR of log true range, EMAs and MACD histogram in prices, RSI and ADX (0..100), +DI - -DI (-100..100).

    The recursion begins at ``start``: averages with that candle's value, RSI and directional movement with nothing, which
    cancels in their ratios. Formulas: Wilder, New Concepts in Technical Trading Systems (1978); Appel's MACD as EMA fast -
    EMA slow.
    Ratios whose denominator has decayed to ``1e-12`` of the price are 0 (RSI: 50): the market has not moved.
    """
    ema_0 = ema_1 = ema_2 = fast = slow = close[start]
    a_0 = 2.0 / (periods[0] + 1.0)
    a_1 = 2.0 / (periods[1] + 1.0)
    a_2 = 2.0 / (periods[2] + 1.0)
    a_fast = 2.0 / (periods[3] + 1.0)
    a_slow = 2.0 / (periods[4] + 1.0)
    a_signal = 2.0 / (periods[5] + 1.0)
    signal = 0.0
    gain_0 = gain_1 = gain_2 = loss_0 = loss_1 = loss_2 = 0.0
    w_0 = 1.0 / periods[6]
    w_1 = 1.0 / periods[7]
    w_2 = 1.0 / periods[8]
    w_atr = 1.0 / periods[9]
    w_dir = 1.0 / periods[10]
    atr = candle[TRUE_RANGE, start]
    reach = plus = minus = adx = 0.0
    for i in range(start + 1, len(close)):
        price = close[i]
        ema_0 += a_0 * (price - ema_0)
        ema_1 += a_1 * (price - ema_1)
        ema_2 += a_2 * (price - ema_2)
        fast += a_fast * (price - fast)
        slow += a_slow * (price - slow)
        signal += a_signal * ((fast - slow) - signal)
        change = price - close[i - 1]
        gain = max(change, 0.0)
        loss = max(-change, 0.0)
        gain_0 += w_0 * (gain - gain_0)
        loss_0 += w_0 * (loss - loss_0)
        gain_1 += w_1 * (gain - gain_1)
        loss_1 += w_1 * (loss - loss_1)
        gain_2 += w_2 * (gain - gain_2)
        loss_2 += w_2 * (loss - loss_2)
        atr += w_atr * (candle[TRUE_RANGE, i] - atr)
        rise = high[i] - high[i - 1]
        fall = low[i - 1] - low[i]
        reach += w_dir * (max(high[i], close[i - 1]) - min(low[i], close[i - 1]) - reach)
        plus += w_dir * ((rise if rise > fall and rise > 0.0 else 0.0) - plus)
        minus += w_dir * ((fall if fall > rise and fall > 0.0 else 0.0) - minus)
        least = _SETTLED * price
        both = plus + minus
        strength = abs(plus - minus) / both if both > least else 0.0
        adx += w_dir * (100.0 * strength - adx)
        row = i - first
        if row >= 0:
            values[ATR, row] = atr
            values[EMA, row] = ema_0
            values[EMA + 1, row] = ema_1
            values[EMA + 2, row] = ema_2
            values[MACD, row] = (fast - slow) - signal
            moved = gain_0 + loss_0
            values[RSI, row] = 100.0 * gain_0 / moved if moved > least else 50.0
            moved = gain_1 + loss_1
            values[RSI + 1, row] = 100.0 * gain_1 / moved if moved > least else 50.0
            moved = gain_2 + loss_2
            values[RSI + 2, row] = 100.0 * gain_2 / moved if moved > least else 50.0
            values[ADX, row] = adx
            values[DIRECTION, row] = 100.0 * (plus - minus) / reach if reach > least else 0.0


@compiled
def oscillators(block: Singles, close: Floats, values: Floats, scale: Floats, first: int, bollinger: int) -> None:
    """Fill 11 rows of ``block`` from the recursive values and the last ``bollinger`` closes."""
    rows = len(scale)
    price = close[first : first + rows]
    for k in range(3):
        average = values[EMA + k]
        out = block[k]
        for row in range(rows):
            out[row] = ln(price[row] / average[row]) / scale[row]
        strength = values[RSI + k]
        out = block[4 + k]
        for row in range(rows):
            out[row] = strength[row] / 50.0 - 1.0
    for row in range(rows):
        block[3, row] = values[MACD, row] / price[row] / scale[row]
        block[9, row] = values[ADX, row] / 100.0
        block[10, row] = values[DIRECTION, row] / 100.0
    # Relative to the last close, and summed anew for each row: no level to cancel, no start to depend on.
    mean = np.zeros(rows)
    square = np.zeros(rows)
    for lag in range(bollinger):
        lagged = close[first - lag : first - lag + rows]
        for row in range(rows):
            mean[row] += lagged[row] / price[row] - 1.0
    for row in range(rows):
        mean[row] /= bollinger
    for lag in range(bollinger):
        lagged = close[first - lag : first - lag + rows]
        for row in range(rows):
            distance = (lagged[row] / price[row] - 1.0) - mean[row]
            square[row] += distance * distance
    for row in range(rows):
        deviation = sqrt(square[row] / bollinger)
        block[7, row] = -mean[row] / deviation if deviation > _WIDTH_FLOOR else 0.0
        block[8, row] = ln(min(max(deviation / (1.0 + mean[row]), _WIDTH_FLOOR) / scale[row], _MOST_WIDTH))
