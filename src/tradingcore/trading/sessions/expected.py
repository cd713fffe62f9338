"""Which candles are due, and which of them are missing (all four rules)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradingcore.kernel.market import Calendar, Timeframe, from_milliseconds, to_milliseconds
from tradingcore.trading.sessions.calendar import Session, sessions_between
from tradingcore.trading.sessions.template import SessionTemplate

EDGE_GRACE: Final = timedelta(hours=1)

_DAY_MS: Final = 86_400_000
_MONDAY_MS: Final = 4 * _DAY_MS  # 1970-01-05
_GRACE_MS: Final = EDGE_GRACE // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole between two candles: the open times of the first and last candle that are missing, and how many are."""

    first: datetime
    last: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """Answers which candles of one calendar and timeframe are expected, refined by ``template`` where there is one."""

    calendar: Calendar
    timeframe: Timeframe
    template: SessionTemplate | None = None

    def expected(self, start: int, stop: int) -> list[int]:
        """Open times ``start <= t < stop`` (epoch milliseconds) at which a candle is due; rules 1 to 3."""
        if self.calendar is Calendar.ALWAYS or self.timeframe is Timeframe.W1:
            step = self.timeframe.milliseconds
            return list(range(start + (self._origin - start) % step, stop, step))
        due: list[int] = []
        for session in sessions_between(self.calendar, start - self.timeframe.milliseconds, stop + self.timeframe.milliseconds):
            due.extend(at for at in self._opens(session) if start <= at < stop and (not due or at > due[-1]))
        return self._usual(due)

    def count(self, start: datetime, stop: datetime) -> int:
        """How many candles are due with ``start <= open time < stop``."""
        return len(self.expected(to_milliseconds(start), to_milliseconds(stop)))

    def gap_between(self, before: int, after: int) -> Gap | None:
        """The gap between two neighbouring candles, by their open times (epoch milliseconds); all four rules."""
        step = self.timeframe.milliseconds
        start = before + step
        if start >= after:
            return None
        if self.calendar is Calendar.ALWAYS or self.timeframe in (Timeframe.D1, Timeframe.W1):
            due = self.expected(start, after)
        else:
            due = []
            for session in sessions_between(self.calendar, start, after):
                missing = [at for at in self._opens(session) if start <= at < after and (not due or at > due[-1])]
                due.extend(self._without_grace(session, self._usual(missing)))
        return Gap(from_milliseconds(due[0]), from_milliseconds(due[-1]), len(due)) if due else None

    def missing_between(self, before: datetime, after: datetime) -> int:
        """How many candles are missing between two neighbouring candles, by their open times."""
        gap = self.gap_between(to_milliseconds(before), to_milliseconds(after))
        return gap.missing if gap is not None else 0

    @property
    def _origin(self) -> int:
        return _MONDAY_MS if self.timeframe is Timeframe.W1 else 0

    def _opens(self, session: Session) -> range:
        step = self.timeframe.milliseconds
        if self.timeframe is Timeframe.D1:
            # Sessions of fx and metals open on the evening before their date.
            day = (session.closes - 1) // _DAY_MS * _DAY_MS
            return range(day, day + 1)
        first = session.opens // step * step
        if first + step - session.opens < step // 4:
            first += step
        last = (session.closes - 1) // step * step
        if session.closes - last < step // 4:
            last -= step
        return range(first, last + 1, step)

    def _usual(self, due: list[int]) -> list[int]:
        template = self.template
        return due if template is None else [at for at in due if template.expects(at)]

    def _without_grace(self, session: Session, missing: list[int]) -> list[int]:
        step = self.timeframe.milliseconds
        if not missing or len(missing) * step > _GRACE_MS:
            return missing
        late = session.is_first_after_closure and missing[0] - step < session.opens
        early = session.is_last_before_closure and missing[-1] + step >= session.closes
        return [] if late or early else missing
