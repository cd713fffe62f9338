from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingcore.kernel.market import Calendar, SeriesKey, SymbolCode, Timeframe, from_milliseconds, to_milliseconds
from tradingcore.testing.builders import a_series
from tradingcore.trading.sessions import GapFinder, GapReport, Sessions, session_of
from tradingcore.trading.sessions.holidays import good_friday, us_holidays

FX_1H = SeriesKey(SymbolCode("EUR/USD"), Timeframe.H1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(calendar: Calendar, timeframe: Timeframe, start: str, stop: str) -> list[int]:
    """What a store of this market would hold: every candle that is due."""
    return Sessions(calendar, timeframe).expected(to_milliseconds(at(start)), to_milliseconds(at(stop)))


def gaps_of(times: list[int], calendar: Calendar, timeframe: Timeframe) -> GapReport:
    finder = GapFinder(SeriesKey(SymbolCode("X"), timeframe))
    finder.add(memoryview(array("q", times)))
    return finder.report(calendar)


def test_market_that_never_closes_expects_every_candle() -> None:
    sessions = Sessions(Calendar.ALWAYS, Timeframe.H1)
    assert sessions.count(at("2026-01-01"), at("2026-01-08")) == 7 * 24
    assert sessions.missing_between(at("2026-01-01T00:00"), at("2026-01-01T03:00")) == 2


def test_fx_week_has_120_hours_in_winter_and_in_summer() -> None:
    for monday in ("2026-02-02", "2026-07-13"):
        start = at(monday) - timedelta(days=1)
        assert Sessions(Calendar.FX_WEEK, Timeframe.H1).count(start, start + timedelta(weeks=1)) == 120


def test_fx_week_opens_an_hour_earlier_in_utc_in_summer() -> None:
    winter, summer = session_of(Calendar.FX_WEEK, date(2026, 2, 2)), session_of(Calendar.FX_WEEK, date(2026, 7, 13))
    assert winter is not None
    assert summer is not None
    assert from_milliseconds(winter.opens) == at("2026-02-01T22:00")
    assert from_milliseconds(summer.opens) == at("2026-07-12T21:00")


def test_metal_week_breaks_an_hour_a_day() -> None:
    start = at("2026-02-01")
    assert Sessions(Calendar.METAL_WEEK, Timeframe.H1).count(start, start + timedelta(weeks=1)) == 115


def test_equity_day_has_seven_hourly_candles_that_follow_new_york() -> None:
    for day, first in (("2026-02-03", 14), ("2026-07-14", 13)):
        due = [from_milliseconds(time) for time in opens(Calendar.US_EQUITY, Timeframe.H1, day, f"{day}T23:59")]
        assert [time.hour for time in due] == list(range(first, first + 7))


def test_daily_candles_carry_the_session_date() -> None:
    due = [from_milliseconds(time).date() for time in opens(Calendar.FX_WEEK, Timeframe.D1, "2026-02-01", "2026-02-08")]
    assert due == [date(2026, 2, day) for day in range(2, 7)]


def test_weekly_candle_is_due_every_week() -> None:
    assert Sessions(Calendar.US_EQUITY, Timeframe.W1).count(at("2026-01-05"), at("2026-02-02")) == 4


def test_known_holidays() -> None:
    assert good_friday(2018) == date(2018, 3, 30)
    assert good_friday(2000) == date(2000, 4, 21)
    assert us_holidays(2026) == {
        date(2026, 1, 1),
        date(2026, 1, 19),
        date(2026, 2, 16),
        date(2026, 4, 3),
        date(2026, 5, 25),
        date(2026, 6, 19),
        date(2026, 7, 3),
        date(2026, 9, 7),
        date(2026, 11, 26),
        date(2026, 12, 25),
    }


@pytest.mark.parametrize(
    ("calendar", "before", "after"),
    [
        (Calendar.US_EQUITY, "2026-11-25T20:00", "2026-11-27T14:00"),  # Thanksgiving
        (Calendar.US_EQUITY, "2026-11-27T17:00", "2026-11-30T14:00"),  # the day after closes at 13:00
        (Calendar.FX_WEEK, "2025-12-24T16:00", "2025-12-26T13:00"),
        (Calendar.FX_WEEK, "2026-02-06T21:00", "2026-02-08T22:00"),  # a weekend
        (Calendar.METAL_WEEK, "2026-04-02T20:00", "2026-04-05T22:00"),  # Good Friday
        (Calendar.METAL_WEEK, "2026-02-03T21:00", "2026-02-03T23:00"),  # the daily break
    ],
)
def test_closed_market_is_no_gap(calendar: Calendar, before: str, after: str) -> None:
    assert Sessions(calendar, Timeframe.H1).missing_between(at(before), at(after)) == 0


def test_first_hour_after_a_weekend_may_be_missing_but_not_two() -> None:
    sessions = Sessions(Calendar.FX_WEEK, Timeframe.H1)
    assert sessions.missing_between(at("2026-02-06T21:00"), at("2026-02-08T23:00")) == 0
    assert sessions.missing_between(at("2026-02-06T21:00"), at("2026-02-09T00:00")) == 2


def test_single_missing_hour_inside_a_session_is_a_gap() -> None:
    assert Sessions(Calendar.FX_WEEK, Timeframe.H1).missing_between(at("2026-02-04T10:00"), at("2026-02-04T12:00")) == 1
    # 17:00 in New York is no closure in the middle of an fx week.
    assert Sessions(Calendar.FX_WEEK, Timeframe.H1).missing_between(at("2026-02-04T21:00"), at("2026-02-04T23:00")) == 1


def test_outage_over_a_weekend_counts_only_trading_hours() -> None:
    gap = Sessions(Calendar.FX_WEEK, Timeframe.H1).gap_between(
        to_milliseconds(at("2026-02-06T11:00")), to_milliseconds(at("2026-02-09T10:00"))
    )
    assert gap is not None
    assert (gap.first, gap.last, gap.missing) == (at("2026-02-06T12:00"), at("2026-02-09T09:00"), 10 + 12)


@pytest.mark.parametrize("calendar", list(Calendar))
@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.W1])
def test_market_that_keeps_its_calendar_has_no_gaps(calendar: Calendar, timeframe: Timeframe) -> None:
    report = gaps_of(opens(calendar, timeframe, "2024-01-01", "2025-01-06"), calendar, timeframe)
    assert (report.gap_count, report.missing) == (0, 0)


def _no_habit(times: list[int]) -> Callable[[set[int]], bool]:
    return lambda out: len({times[index] % Timeframe.W1.milliseconds for index in out}) == len(out)


@settings(deadline=None)
@given(calendar=st.sampled_from(Calendar), data=st.data())
def test_each_candle_taken_out_of_the_middle_of_a_day_is_found(calendar: Calendar, data: st.DataObject) -> None:
    times = opens(calendar, Timeframe.M15, "2026-03-02", "2026-04-03")
    inner = [index for index in range(5, len(times) - 5) if times[index + 5] - times[index - 5] == 10 * Timeframe.M15.milliseconds]
    # Not the same slot in two weeks: that would be a habit.
    out = data.draw(st.sets(st.sampled_from(inner), min_size=1, max_size=10).filter(_no_habit(times)))
    report = gaps_of([time for index, time in enumerate(times) if index not in out], calendar, Timeframe.M15)
    assert report.missing == len(out)
    missing = {time for gap in report.gaps for time in times if gap.first <= from_milliseconds(time) <= gap.last}
    assert missing == {times[index] for index in out}


@given(cuts=st.sets(st.integers(1, 299), max_size=6), order=st.randoms(use_true_random=False))
def test_chunks_of_any_size_in_any_order_give_the_same_gaps(cuts: set[int], order: Random) -> None:
    series = a_series(300, key=FX_1H)
    holed = [index for index in range(300) if index not in {20, 21, 150}]
    times = [series.open_times[index] for index in holed]
    expected = gaps_of(times, Calendar.ALWAYS, Timeframe.H1)
    bounds = [0, *sorted(min(cut, len(times)) for cut in cuts), len(times)]
    pieces = [array("q", times[a:b]) for a, b in pairwise(bounds)]
    order.shuffle(pieces)
    finder = GapFinder(SeriesKey(SymbolCode("X"), Timeframe.H1))
    for piece in pieces:
        finder.add(memoryview(piece))
    report = finder.report(Calendar.ALWAYS)
    assert (report.gaps, report.missing) == (expected.gaps, 3)


def test_hours_that_a_broker_never_trades_are_not_expected() -> None:
    # This broker is closed from 02:00 to 05:00 UTC on all days.
    times = [
        time
        for time in opens(Calendar.FX_WEEK, Timeframe.H1, "2026-01-05", "2026-03-05")
        if not 2 <= from_milliseconds(time).hour < 5
    ]
    report = gaps_of(times, Calendar.FX_WEEK, Timeframe.H1)
    assert report.missing == 0
    # Its own habit tells nothing in the first weeks, when only the calendar is known.
    report = gaps_of(times[: 21 * 10], Calendar.FX_WEEK, Timeframe.H1)
    assert report.missing > 0


def test_list_of_gaps_is_cut_but_the_count_is_not() -> None:
    times = opens(Calendar.ALWAYS, Timeframe.H1, "2026-01-01", "2026-02-01")[::2]
    finder = GapFinder(SeriesKey(SymbolCode("X"), Timeframe.H1))
    finder.add(memoryview(array("q", times)))
    report = finder.report(Calendar.ALWAYS, at_most=3)
    assert (len(report.gaps), report.gap_count, report.missing) == (3, len(times) - 1, len(times) - 1)


def test_a_year_without_candles_is_a_gap_and_no_habit() -> None:
    times = opens(Calendar.FX_WEEK, Timeframe.H1, "2023-05-01", "2023-07-01") + opens(
        Calendar.FX_WEEK, Timeframe.H1, "2024-06-01", "2024-08-01"
    )
    report = gaps_of(times, Calendar.FX_WEEK, Timeframe.H1)
    assert report.gap_count == 1
    assert report.missing > 5000
