"""The sessions of a calendar (rules 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from tradingcore.kernel.market import Calendar, from_milliseconds, to_milliseconds
from tradingcore.trading.sessions.holidays import good_friday, us_early_closes, us_holidays

_NEW_YORK: Final = "America/New_York"
_DAY: Final = timedelta(days=1)
_DAY_MS: Final = 86_400_000
_FRIDAY: Final = 4
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day in epoch milliseconds. The flags tell whether the market is closed right before and right after it."""

    opens: int
    closes: int
    is_first_after_closure: bool
    is_last_before_closure: bool


def _new_york(day: date, hour: int, minute: int = 0) -> int:
    return to_milliseconds(datetime.combine(day, time(hour, minute), ZoneInfo(_NEW_YORK)).astimezone(UTC))


def _rests(calendar: Calendar, day: date) -> list[tuple[int, int]]:
    """The holiday windows that can touch the session of ``day``."""
    if calendar is Calendar.US_EQUITY:
        if day in us_holidays(day.year):
            return [(_new_york(day, 0), _new_york(day + _DAY, 0))]
        return [(_new_york(day, 13), _new_york(day + _DAY, 0))] if day in us_early_closes(day.year) else []
    year = day.year + (day.month == 12)
    rests = [
        (_new_york(date(year - 1, 12, 24), 12), _new_york(date(year - 1, 12, 26), 8)),
        (_new_york(date(year - 1, 12, 31), 12), _new_york(date(year, 1, 2), 8)),
    ]
    if calendar is Calendar.METAL_WEEK:
        if day == good_friday(day.year):
            rests.append((_new_york(day - _DAY, 17), _new_york(day, 17)))
        elif day in us_holidays(day.year) or day in us_early_closes(day.year):
            rests.append((_new_york(day, 12), _new_york(day, 17)))
    return rests


@lru_cache(maxsize=16_384)
def session_of(calendar: Calendar, day: date) -> Session | None:
    """The session dated ``day`` (New York), or ``None`` on a day of rest. For 24/7 it is the UTC day."""
    if calendar is Calendar.ALWAYS:
        opens = to_milliseconds(datetime.combine(day, time(), UTC))
        return Session(opens, opens + _DAY_MS, is_first_after_closure=False, is_last_before_closure=False)
    if day.weekday() >= _SATURDAY:
        return None
    if calendar is Calendar.US_EQUITY:
        opens, closes = _new_york(day, 9) + 1_800_000, _new_york(day, 16)
    else:
        opens, closes = _new_york(day - _DAY, 17 if calendar is Calendar.FX_WEEK else 18), _new_york(day, 17)
    trimmed_open, trimmed_close = opens, closes
    for start, stop in _rests(calendar, day):
        if start <= trimmed_open < stop:
            trimmed_open = stop
        elif trimmed_open < start < trimmed_close:
            trimmed_close = start
    if trimmed_open >= trimmed_close:
        return None
    abuts = calendar is Calendar.FX_WEEK
    return Session(
        trimmed_open,
        trimmed_close,
        is_first_after_closure=not abuts or trimmed_open > opens or day.weekday() == 0,
        is_last_before_closure=not abuts or trimmed_close < closes or day.weekday() == _FRIDAY,
    )


def sessions_between(calendar: Calendar, start: int, stop: int) -> Iterator[Session]:
    """Sessions that overlap ``start <= t < stop`` (epoch milliseconds), in order."""
    day = from_milliseconds(start).date() - _DAY
    last = from_milliseconds(stop).date() + _DAY
    while day <= last:
        session = session_of(calendar, day)
        if session is not None and session.opens < stop and session.closes > start:
            yield session
        day += _DAY
