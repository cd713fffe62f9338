from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Calendar, Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import a_series
from tradingcore.trading.resampling import resample

START = datetime(2026, 2, 25, tzinfo=UTC)
LADDER = list(Timeframe)


def slow(candles: list[Candle], target: Timeframe) -> list[Candle]:
    """The definition, word by word."""
    joined = []
    for opens_at, group in groupby(candles, key=lambda candle: target.open_of(candle.open_time)):
        parts = list(group)
        joined.append(
            Candle(
                opens_at,
                parts[0].open,
                max(part.high for part in parts),
                min(part.low for part in parts),
                parts[-1].close,
                fsum(part.volume for part in parts),
            )
        )
    return joined


@st.composite
def sparse_candles(draw: st.DrawFn) -> tuple[Timeframe, Timeframe, list[Candle]]:
    source, target = sorted(
        draw(st.lists(st.sampled_from(LADDER), min_size=2, max_size=2, unique=True)), key=lambda timeframe: timeframe.milliseconds
    )
    offsets = sorted(draw(st.sets(st.integers(0, 400), max_size=60)))
    candles = []
    for offset in offsets:
        low, first, second, high = sorted(draw(st.tuples(*[st.floats(1, 1e6)] * 4)))
        open_, close = draw(st.permutations([first, second]))
        at = source.open_of(START) + offset * source.duration
        candles.append(Candle(at, open_, high, low, close, draw(st.floats(0, 1e9))))
    return source, target, candles


@given(sparse_candles())
def test_joined_candles_equal_the_definition(case: tuple[Timeframe, Timeframe, list[Candle]]) -> None:
    source, target, candles = case
    series = CandleSeries.of(SeriesKey(SymbolCode("X"), source), candles)
    joined = resample(series, target)
    assert list(joined.series) == slow(candles, target)
    assert joined.series.key.timeframe is target
    full = target.milliseconds // source.milliseconds
    counts = {at: len(list(group)) for at, group in groupby(candles, key=lambda candle: target.open_of(candle.open_time))}
    assert set(joined.incomplete) == {at for at, count in counts.items() if count < full}


@given(sparse_candles())
def test_joining_in_two_steps_gives_the_same_prices(case: tuple[Timeframe, Timeframe, list[Candle]]) -> None:
    source, _, candles = case
    if source.milliseconds >= Timeframe.H1.milliseconds:
        return
    series = CandleSeries.of(SeriesKey(SymbolCode("X"), source), candles)
    direct = resample(series, Timeframe.D1).series
    stepwise = resample(resample(series, Timeframe.H1).series, Timeframe.D1).series
    assert [c.open_time for c in direct] == [c.open_time for c in stepwise]
    for column in ("open", "high", "low", "close"):
        assert getattr(direct, column).tolist() == getattr(stepwise, column).tolist()
    assert direct.volume.tolist() == pytest.approx(stepwise.volume.tolist(), rel=1e-12)


def test_weeks_begin_on_monday() -> None:
    series = a_series(20, key=SeriesKey(SymbolCode("X"), Timeframe.D1), first=datetime(2026, 3, 1, tzinfo=UTC))
    opens = [candle.open_time for candle in resample(series, Timeframe.W1).series]
    assert opens == [datetime(2026, 2, 23, tzinfo=UTC) + week * timedelta(weeks=1) for week in range(4)]


def test_day_of_a_market_that_rests_at_night_is_complete() -> None:
    # 14:30 to 21:00 UTC on Tuesday, in quarters of an hour; Wednesday stops early.
    first = datetime(2026, 2, 3, 14, 30, tzinfo=UTC)
    key = SeriesKey(SymbolCode("AAPL"), Timeframe.M15)
    tuesday, wednesday = a_series(26, key=key, first=first), a_series(20, key=key, first=first + timedelta(days=1))
    joined = resample(CandleSeries.of(key, [*tuesday, *wednesday]), Timeframe.D1, Calendar.US_EQUITY)
    assert len(joined.series) == 2
    assert joined.incomplete == (datetime(2026, 2, 4, tzinfo=UTC),)


def test_candles_are_not_split() -> None:
    with pytest.raises(InvalidInput, match="1h does not make 5m"):
        resample(a_series(3), Timeframe.M5)
    with pytest.raises(InvalidInput):
        resample(a_series(3), Timeframe.H1)


def test_nothing_joins_to_nothing() -> None:
    assert len(resample(a_series(0), Timeframe.D1).series) == 0
