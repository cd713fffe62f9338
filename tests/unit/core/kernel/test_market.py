from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import (
    Candle,
    CandleSeries,
    SeriesKey,
    SymbolCode,
    Timeframe,
    candle_fault,
    from_milliseconds,
    symbol_code,
    to_milliseconds,
)

HOURLY = SeriesKey(SymbolCode("BTC/USDT"), Timeframe.H1)
START = datetime(2026, 1, 1, tzinfo=UTC)
times = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
)
timeframes = st.sampled_from(Timeframe)
prices = st.floats(1e-6, 1e9)


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    low, first, second, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    open_, close = draw(st.permutations([first, second]))
    return Candle(START, open_, high, low, close, draw(st.floats(0, 1e12)))


def a_candle(hour: int, *, close: float = 10.0) -> Candle:
    return Candle(START + timedelta(hours=hour), 10.0, 11.0, 9.0, close, 5.0)


def a_series(*hours: int) -> CandleSeries:
    return CandleSeries.of(HOURLY, [a_candle(hour) for hour in hours])


def hours_of(series: CandleSeries) -> list[int]:
    return [(candle.open_time - START) // timedelta(hours=1) for candle in series]


@given(timeframes, times)
def test_every_moment_lies_in_exactly_one_candle(timeframe: Timeframe, at: datetime) -> None:
    opened = timeframe.open_of(at)
    assert opened <= at < timeframe.close_of(opened)
    assert timeframe.is_aligned(opened)
    assert timeframe.open_of(timeframe.close_of(opened)) == timeframe.close_of(opened)


@given(timeframes, times)
def test_a_candle_does_not_depend_on_the_zone_of_the_clock(timeframe: Timeframe, at: datetime) -> None:
    assert timeframe.open_of(at) == timeframe.open_of(at.astimezone(UTC))


@given(times)
def test_weeks_open_on_monday_at_midnight(at: datetime) -> None:
    opened = Timeframe.W1.open_of(at).astimezone(UTC)
    assert (opened.weekday(), opened.hour, opened.minute) == (0, 0, 0)


@given(times, timeframes, timeframes)
def test_longer_candles_hold_whole_shorter_ones(at: datetime, one: Timeframe, other: Timeframe) -> None:
    shorter, longer = sorted((one, other), key=lambda timeframe: timeframe.duration)
    assert shorter.is_aligned(longer.open_of(at))


@given(times)
def test_milliseconds_come_back_as_the_same_moment(at: datetime) -> None:
    whole = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert from_milliseconds(to_milliseconds(whole)) == whole


@pytest.mark.parametrize("text", ["BTC/USDT", "EUR/USD", "AAPL", "BRK.B", "1000PEPE/USDT"])
def test_symbols_are_written_as_traders_write_them(text: str) -> None:
    assert symbol_code(text) == text


@pytest.mark.parametrize("text", ["", "btc/usdt", "BTC/", "/USDT", "BTC USDT", "BTC/USDT/X", "BTC/USDT\n", "A" * 17, "../etc"])
def test_anything_else_is_no_symbol(text: str) -> None:
    with pytest.raises(InvalidInput, match="a symbol looks like"):
        symbol_code(text)


@given(candles())
def test_sorted_positive_prices_make_a_candle(candle: Candle) -> None:
    assert candle_fault(candle.open, candle.high, candle.low, candle.close, candle.volume) is None


@asvs("2.2.3")
@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ((nan, 11.0, 9.0, 10.0, 1.0), "open is not a finite number"),
        ((10.0, inf, 9.0, 10.0, 1.0), "high is not a finite number"),
        ((10.0, 11.0, 0.0, 10.0, 1.0), "low must be above zero"),
        ((10.0, 11.0, 9.0, -10.0, 1.0), "close must be above zero, was -10.0"),
        ((10.0, 11.0, 9.0, 10.0, -1.0), "volume must be zero or more"),
        ((10.0, 11.0, 9.0, 10.0, nan), "volume must be zero or more"),
        ((10.0, 9.0, 11.0, 10.0, 1.0), "high 9.0 is below low 11.0"),
        ((8.0, 11.0, 9.0, 10.0, 1.0), "must lie between low 9.0 and high 11.0"),
        ((10.0, 11.0, 9.0, 12.0, 1.0), "must lie between low 9.0 and high 11.0"),
    ],
)
def test_numbers_that_are_no_candle_are_refused(numbers: tuple[float, float, float, float, float], fault: str) -> None:
    assert fault in str(candle_fault(*numbers))
    with pytest.raises(InvalidInput, match="candle 2026-01-01T00:00:00"):
        Candle(START, *numbers)


@given(st.lists(st.integers(0, 500), unique=True))
def test_a_series_gives_back_the_candles_it_was_made_of(hours: list[int]) -> None:
    given_candles = [a_candle(hour) for hour in sorted(hours)]
    series = CandleSeries.of(HOURLY, given_candles)
    assert list(series) == given_candles
    assert len(series) == len(given_candles)


@given(st.lists(st.integers(0, 60), unique=True), st.integers(-1, 61), st.integers(0, 70))
def test_up_to_gives_the_last_candles_that_open_at_or_before(hours: list[int], last: int, count: int) -> None:
    series = a_series(*sorted(hours))
    wanted = [hour for hour in sorted(hours) if hour <= last]
    assert hours_of(series.up_to(START + timedelta(hours=last), count)) == wanted[max(0, len(wanted) - count) :]


def test_slices_share_memory() -> None:
    series = a_series(*range(10))
    part = series.slice(2, 5)
    assert hours_of(part) == [2, 3, 4]
    assert part.close.obj is series.close.obj


@pytest.mark.parametrize("hours", [(1, 1), (2, 1)])
def test_candles_out_of_order_are_refused(hours: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="must increase in time"):
        a_series(*hours)


def test_a_candle_between_the_opens_is_refused() -> None:
    late = Candle(START + timedelta(minutes=30), 10.0, 11.0, 9.0, 10.0, 1.0)
    with pytest.raises(InvalidInput, match="is not the open of a 1h candle"):
        CandleSeries.of(HOURLY, [late])


def test_columns_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="read-only"):
        a_series(0).open_times[0] = 99


def test_columns_of_different_length_are_refused() -> None:
    column = array("d", [10.0])
    with pytest.raises(InvalidInput, match="differ in length"):
        CandleSeries.from_columns(HOURLY, array("q", [0, 1]), column, column, column, column, column)


def test_columns_of_another_type_are_refused() -> None:
    column = array("d", [10.0])
    with pytest.raises(TypeError, match="must be int64"):
        CandleSeries.from_columns(HOURLY, array("i", [0]), column, column, column, column, column)
    with pytest.raises(TypeError, match="float64"):
        CandleSeries.from_columns(HOURLY, array("q", [0]), column, column, column, column, array("f", [1.0]))


def test_a_series_says_where_it_begins_and_ends() -> None:
    series = a_series(3, 5)
    assert (series.first_open_time, series.last_open_time) == (START + timedelta(hours=3), START + timedelta(hours=5))
