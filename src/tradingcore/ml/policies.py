"""Pure rules of training: which candles may be learnt from, which are tested, and how much history that takes (ml.md S7)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

UNTESTED_SHARE: Final = 0.4
"""The first part of the candles is never tested: every fold learns from at least that much."""

EARLY_STOP_SHARE: Final = 0.15
CALIBRATION_SHARE: Final = 0.13
"""Shares of the training rows, latest last: fit, then early stop, then calibrate."""

MIN_TRAIN_ROWS: Final = 600
MIN_TEST_ROWS: Final = 100
MAX_TRAIN_ROWS: Final = 120_000
"""Older rows are left out of the window beyond this many, so that years of minute candles fit into memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Row positions of one refit, each slice later than the one before it and purged against it.

    ``test`` is empty for the production fit, which follows the same recipe on all rows.
    """

    index: int
    fit: range
    early_stop: range
    calibrate: range
    test: range

    @property
    def train(self) -> range:
        return range(self.fit.start, self.calibrate.stop)


def thinning(horizon: int, *, rows: int, at_most: int | None = None) -> int:
    """Every how many rows trees learn from one: neighbours share most of their outcome (h/8, measured in ml.md)."""
    return max(1, horizon // 8, -(-rows // at_most) if at_most else 1)


def min_train_rows(horizon: int) -> int:
    """Rows that the first fold must have: the three slices lose ``horizon + 1`` rows each to the purge."""
    return MIN_TRAIN_ROWS + 4 * (horizon + 1)


def candles_needed(*, w_max: int, horizon: int, folds: int) -> int:
    """Candles without which no honest walk-forward of this many folds is possible."""
    return w_max - 1 + min_train_rows(horizon) + folds * MIN_TEST_ROWS + horizon


def first_test_row(*, candles: int, first_row: int, horizon: int) -> int:
    """Return the row where testing begins, rows being counted from the candle ``first_row``, the first that has features."""
    return max(-(-candles * 2 // 5) - first_row, min_train_rows(horizon))


def plan_folds(
    decisions: Sequence[int], label_ends: Sequence[int], *, first_test: int, folds: int, margin: int
) -> tuple[Fold, ...]:
    """Return ``folds`` folds that test the rows from ``first_test`` on once each, and the production fit as the last.

    The purge: a slice ends before the first row whose outcome, with ``margin`` to spare, reaches into what follows the slice. So no
    span (decision to label end) of a slice meets a span of a later one, whatever the order of the label ends.

    Args:
        decisions: when each row is decided, increasing (the close of its candle, epoch milliseconds).
        label_ends: until when each row's outcome reaches (the close of the last candle of its horizon).
        first_test: first row that is tested.
        folds: how many refits; the window expands up to `MAX_TRAIN_ROWS`.
        margin: time to spare between a training span and what follows it: one candle.
    """
    ends = list(accumulate(label_ends, max))
    rows = len(decisions)
    edges = [first_test + (rows - first_test) * number // folds for number in range(folds + 1)]

    def purged_before(row: int) -> int:
        return rows if row == rows else bisect_left(ends, decisions[row] - margin)

    def fold(index: int, test: range) -> Fold:
        stop = purged_before(test.start)
        start = max(0, stop - MAX_TRAIN_ROWS)
        calibrate = stop - round((stop - start) * CALIBRATION_SHARE)
        early_stop = calibrate - round((stop - start) * EARLY_STOP_SHARE)
        return Fold(
            index=index,
            fit=range(start, purged_before(early_stop)),
            early_stop=range(early_stop, purged_before(calibrate)),
            calibrate=range(calibrate, stop),
            test=test,
        )

    tested = [fold(index, range(edges[index], edges[index + 1])) for index in range(folds)]
    return (*tested, fold(folds, range(rows, rows)))
