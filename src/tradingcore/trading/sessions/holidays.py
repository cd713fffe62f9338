"""Days on which markets that follow New York rest, by rule (no list of years to maintain).

Full closures of the US exchanges: New Year's Day, Martin Luther King Day (since 1998), Presidents' Day, Good Friday, Memorial Day,
Juneteenth (since 2022), Independence Day, Labor Day, Thanksgiving, Christmas; Saturday holidays move to Friday (New Year's Day does
not), Sunday ones to Monday. Early closures: 3 July, the day after Thanksgiving, Christmas Eve. Source: NYSE Rule 7.2.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Final

_MONDAY: Final = 0
_THURSDAY: Final = 3
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_DAY: Final = timedelta(days=1)


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - _DAY
    return day + _DAY if day.weekday() == _SUNDAY else day


def good_friday(year: int) -> date:
    """Two days before Easter (the anonymous Gregorian algorithm; Meeus, Astronomical Algorithms, ch. 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (a + 11 * h) // 319
    r = (2 * e + 2 * i - k - h + m + 32) % 7
    month = (h - m + r + 90) // 25
    day = (h - m + r + month + 19) % 32
    return date(year, month, day) - 2 * _DAY


@cache
def us_holidays(year: int) -> frozenset[date]:
    """Days of ``year`` on which the US exchanges are closed all day."""
    new_year = date(year, 1, 1)
    days = {
        new_year if new_year.weekday() != _SUNDAY else new_year + _DAY,
        _nth(year, 2, _MONDAY, 3),
        good_friday(year),
        _last_monday_of_may(year),
        _observed(date(year, 7, 4)),
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 11, _THURSDAY, 4),
        _observed(date(year, 12, 25)),
    }
    if year >= 1998:
        days.add(_nth(year, 1, _MONDAY, 3))
    if year >= 2022:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days)


@cache
def us_early_closes(year: int) -> frozenset[date]:
    """Days of ``year`` on which the US exchanges may close at 13:00 New York time."""
    return frozenset({date(year, 7, 3), _nth(year, 11, _THURSDAY, 4) + _DAY, date(year, 12, 24)}) - us_holidays(year)
