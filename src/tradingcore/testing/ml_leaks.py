"""Finds features that know the future, by what they change when the future is cut off.

Truncation invariance: a row computed from a prefix of the candles must be the row that the whole series gave. It finds every kind
of leak: a shifted label, a centred mean, a statistic fitted on the whole sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Final, cast

from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.model.features import FeatureMatrix

TOLERANCE_SD: Final = 1e-6
"""ml.md S13: a difference that rounding makes, in standard deviations of the column."""


def differences(
    compute: Callable[[CandleSeries], FeatureMatrix], candles: CandleSeries, cuts: Sequence[int]
) -> Mapping[str, float]:
    """Return the largest difference per column, in its standard deviations, between whole and cut computation.

    Args:
        compute: features of a series, one row per candle from ``first_row`` on; the last row belongs to the last candle.
        candles: the whole series.
        cuts: numbers of candles to keep, each enough for one row.
    """
    whole = compute(candles)
    rows = rows_of(whole)
    deviations = deviations_of(whole)
    worst = dict.fromkeys(whole.spec.names, 0.0)
    for cut in cuts:
        part = compute(candles.slice(0, cut))
        last = rows_of(part)[-1]
        expected = rows[cut - 1 - whole.first_row]
        for name, got, want, deviation in zip(whole.spec.names, last, expected, deviations, strict=True):
            difference = abs(got - want)
            # A column that is constant in the whole sample must be that constant in every part.
            worst[name] = max(worst[name], difference / deviation if deviation > 0 else difference)
    return worst


def leaking_columns(
    compute: Callable[[CandleSeries], FeatureMatrix], candles: CandleSeries, cuts: Sequence[int]
) -> Mapping[str, float]:
    """Return the columns that change by more than `TOLERANCE_SD` when the future is cut off, with their `differences`."""
    # "not <=" lets a NaN through as a leak.
    return {name: value for name, value in differences(compute, candles, cuts).items() if not value <= TOLERANCE_SD}


def rows_of(matrix: FeatureMatrix) -> list[list[float]]:
    return cast(list[list[float]], matrix.values.tolist())


def deviations_of(matrix: FeatureMatrix) -> list[float]:
    """The standard deviation of each column."""
    return [_deviation(column) for column in zip(*rows_of(matrix), strict=True)]


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / len(values))
