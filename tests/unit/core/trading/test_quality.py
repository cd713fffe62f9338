from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.market import Candle, CandleSeries
from tradingcore.testing.builders import BTC_1H, MONDAY, a_candle, a_series, candles
from tradingcore.trading.quality import QualityCheck, QualityReport, Suspicion, is_split_ratio

HOUR = timedelta(hours=1)


def checked(*parts: CandleSeries) -> QualityReport:
    check = QualityCheck()
    for part in parts:
        check.add(part)
    return check.report()


def a_day_that_jumps(by: float) -> list[Candle]:
    """Forty quiet candles with a true range of 2.5, then one that closes ``by`` higher than the one before."""
    quiet = [a_candle(MONDAY + index * HOUR, close=1000.0) for index in range(40)]
    last = quiet[-1].close
    return [
        *quiet,
        a_candle(MONDAY + 40 * HOUR, close=last + by, open=last, high=max(last, last + by) + 1, low=min(last, last + by) - 1),
    ]


def test_ordinary_candles_are_not_suspicious() -> None:
    report = checked(a_series(500))
    assert report.total == 0
    assert report.examples == ()


def test_candle_without_range_and_without_volume_is_flagged() -> None:
    flat = a_candle(MONDAY + HOUR, close=100.0, open=100.0, high=100.0, low=100.0, volume=0.0)
    report = checked(CandleSeries.of(BTC_1H, [a_candle(), flat]))
    assert report.counts == {Suspicion.ZERO_RANGE: 1, Suspicion.ZERO_VOLUME: 1}
    assert {example.open_time for example in report.examples} == {flat.open_time}


@pytest.mark.parametrize(("by", "is_jump"), [(49.0, False), (51.0, True), (-49.0, False), (-51.0, True)])
def test_jump_beyond_twenty_true_ranges_is_flagged(by: float, is_jump: bool) -> None:
    report = checked(CandleSeries.of(BTC_1H, a_day_that_jumps(by)))
    assert (Suspicion.JUMP in report.counts) is is_jump


def test_unadjusted_split_is_flagged() -> None:
    before = candles(30, close=700.0)
    after = [a_candle(before[-1].open_time + HOUR, close=before[-1].close / 7 * 1.01)]
    report = checked(CandleSeries.of(BTC_1H, [*before, *after]))
    assert report.counts[Suspicion.SPLIT] == 1


@pytest.mark.parametrize("ratio", [2.0, 0.5, 1 / 3, 4 * 1.019, 1 / 7, 1.5])
def test_ratio_near_a_split_is_one(ratio: float) -> None:
    assert is_split_ratio(ratio)


@pytest.mark.parametrize("ratio", [1.0, 1.2, 0.8, 2.1, 0.45, 2.5])
def test_ordinary_ratio_is_none(ratio: float) -> None:
    assert not is_split_ratio(ratio)


@given(cut=st.integers(1, 40))
def test_chunks_do_not_change_the_findings(cut: int) -> None:
    whole = CandleSeries.of(BTC_1H, a_day_that_jumps(80.0))
    assert checked(whole.slice(0, cut), whole.slice(cut, len(whole))) == checked(whole)


def test_chunk_that_goes_back_in_time_is_no_jump() -> None:
    newer, older = a_series(30, close=5000.0), a_series(30, first=MONDAY - timedelta(days=30), close=100.0)
    assert checked(newer, older).total == 0


def test_examples_are_few_but_the_count_is_whole() -> None:
    flat = [a_candle(MONDAY + index * HOUR, volume=0.0) for index in range(100)]
    report = checked(CandleSeries.of(BTC_1H, flat[:50]), CandleSeries.of(BTC_1H, flat[50:]))
    assert report.counts[Suspicion.ZERO_VOLUME] == 100
    assert len(report.examples) == 20
