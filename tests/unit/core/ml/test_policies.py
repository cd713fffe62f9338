from itertools import accumulate, pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tradingcore.ml.policies import candles_needed, first_test_row, min_train_rows, plan_folds, thinning

CANDLE = 10


def _span_set(seed: int) -> tuple[list[int], list[int]]:
    """Decision times with sessions and gaps between them, and label ends in any order."""
    chance = Random(seed)
    decisions = list(accumulate(chance.randint(1, 8) * CANDLE for _ in range(chance.randint(30, 90))))
    return decisions, [at + chance.randint(1, 25) * CANDLE for at in decisions]


span_sets = st.integers(0, 2**32).map(_span_set)


@settings(max_examples=1_000, deadline=None)
@given(span_sets, st.integers(1, 6), st.integers(5, 25))
def test_no_training_span_meets_a_later_span(spans: tuple[list[int], list[int]], folds: int, first_test: int) -> None:
    decisions, ends = spans
    for fold in plan_folds(decisions, ends, first_test=first_test, folds=folds, margin=CANDLE):
        for earlier, later in pairwise((fold.fit, fold.early_stop, fold.calibrate, fold.test)):
            reach = max((ends[row] + CANDLE for row in earlier), default=-1)
            assert reach < min((decisions[row] for row in later), default=reach + 1), f"{earlier} reaches into {later}"


@settings(max_examples=200, deadline=None)
@given(span_sets, st.integers(1, 6), st.integers(5, 25))
def test_folds_test_every_later_row_once_and_the_last_fit_learns_from_all(
    spans: tuple[list[int], list[int]], folds: int, first_test: int
) -> None:
    decisions, ends = spans
    *tested, production = plan_folds(decisions, ends, first_test=first_test, folds=folds, margin=CANDLE)
    assert [row for fold in tested for row in fold.test] == list(range(first_test, len(decisions)))
    assert (production.calibrate.stop, len(production.test)) == (len(decisions), 0)


def test_purge_of_contiguous_candles_drops_the_horizon_and_one_more() -> None:
    horizon = 4
    decisions = [CANDLE * number for number in range(100)]
    ends = [at + horizon * CANDLE for at in decisions]
    fold = plan_folds(decisions, ends, first_test=50, folds=1, margin=CANDLE)[0]
    assert fold.train.stop == 50 - (horizon + 1)


def test_one_late_label_end_drops_what_follows_it() -> None:
    decisions = [CANDLE * number for number in range(20)]
    ends = [at + CANDLE for at in decisions]
    ends[4] = decisions[15]
    assert plan_folds(decisions, ends, first_test=15, folds=1, margin=CANDLE)[0].train.stop == 4


def test_first_two_fifths_of_the_candles_are_never_tested() -> None:
    assert first_test_row(candles=10_000, first_row=1_000, horizon=4) == 3_000
    assert first_test_row(candles=3_000, first_row=1_003, horizon=4) == min_train_rows(4)


def test_history_that_is_just_enough_gives_every_fold_its_rows() -> None:
    w_max, horizon, folds = 1_004, 4, 3
    candles = candles_needed(w_max=w_max, horizon=horizon, folds=folds)
    rows = candles - (w_max - 1) - horizon
    assert rows - first_test_row(candles=candles, first_row=w_max - 1, horizon=horizon) == folds * 100


def test_short_horizons_are_not_thinned() -> None:
    assert [thinning(horizon, rows=10_000) for horizon in (1, 4, 12, 48)] == [1, 1, 1, 6]
    assert [thinning(4, rows=rows, at_most=8_000) for rows in (500, 8_000, 8_001)] == [1, 1, 2]
