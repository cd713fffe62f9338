"""Group 8 (the clock) and the time-of-day profile of volatility."""

from __future__ import annotations

from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, Integers, Singles, compiled

DAY_MILLISECONDS: Final = 86_400_000
_FIRST_WEEKDAY: Final = 3
_LONGEST_GAP_DAYS: Final = 4.0
_FIXED_POINT: Final = 1099511627776.0
_LEAST_DAYS: Final = 3
_RATIO_LIMIT: Final = 20.0


@compiled
def clock(block: Singles, times: Integers, sines: Floats, cosines: Floats, first: int, step: int) -> None:
    """Fill 4 rows of ``block``: sine and cosine of the time of day, day of the week 0..1, days since the candle before."""
    for row in range(block.shape[1]):
        i = first + row
        slot = (times[i] % DAY_MILLISECONDS) // step
        block[0, row] = sines[slot]
        block[1, row] = cosines[slot]
        # 1970-01-01 was a Thursday.
        block[2, row] = ((times[i] // DAY_MILLISECONDS + _FIRST_WEEKDAY) % 7) / 6.0
        block[3, row] = min((times[i] - times[i - 1]) / DAY_MILLISECONDS, _LONGEST_GAP_DAYS)


@compiled
def coming_range(
    times: Integers, high: Floats, low: Floats, close: Floats, profile: int, horizon: int, step: int, ratio: Floats
) -> None:
    """Fill ``ratio`` for candles ``profile`` and later: how wide the coming ``horizon`` candles are at this time of day.

    Of the last ``profile`` candles, those that opened at the same time of day and whose next ``horizon`` candles are over: the
    mean true range of these next candles, divided by the mean true range of all ``profile`` candles. Following the candles that
    really came next keeps sessions, weekends and holidays right without a calendar. 1 where fewer than three days are there to
    average. Sums are whole numbers (a range of 1 is 2^40), so they are exact and do not depend on where they began.
    """
    n = len(close)
    begin = 1
    slots = max(DAY_MILLISECONDS // step, 1)
    slot = np.zeros(n - begin, dtype=np.int64)
    total = np.zeros(n - begin + 1, dtype=np.int64)
    sums = np.zeros(slots, dtype=np.int64)
    counts = np.zeros(slots, dtype=np.int64)
    before = close[: n - begin]
    tops = high[begin:]
    bottoms = low[begin:]
    widths = total[1:]
    for j in range(n - begin):
        top = max(tops[j], before[j])
        bottom = min(bottoms[j], before[j])
        widths[j] = np.int64((top - bottom) / (0.5 * top + 0.5 * bottom) * _FIXED_POINT)
    for j in range(n - begin):
        k = begin + j
        total[j + 1] += total[j]
        if j > 0 and times[k] - times[k - 1] == step and slot[j - 1] + 1 < slots:
            slot[j] = slot[j - 1] + 1
        else:
            slot[j] = (times[k] % DAY_MILLISECONDS) // step
    entering = 0
    leaving = 0
    for i in range(profile, n):
        j = i - begin
        while entering <= j - horizon:
            sums[slot[entering]] += total[entering + horizon + 1] - total[entering + 1]
            counts[slot[entering]] += 1
            entering += 1
        while leaving < entering and leaving < j - profile + 1:
            sums[slot[leaving]] -= total[leaving + horizon + 1] - total[leaving + 1]
            counts[slot[leaving]] -= 1
            leaving += 1
        days = counts[slot[j]]
        everything = total[j + 1] - total[j + 1 - profile]
        value = 1.0
        if days >= _LEAST_DAYS and everything > 0:
            value = (sums[slot[j]] / (days * horizon)) / (everything / profile)
        ratio[i - profile] = min(max(value, 1.0 / _RATIO_LIMIT), _RATIO_LIMIT)
