"""The weekly habit of one series (rule 3)."""

from __future__ import annotations

from array import array
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

from tradingcore.kernel.market import Timeframe, from_milliseconds

TEMPLATE_WEEKS: Final = 4
LEAST_SHARE: Final = 0.5
LONGEST_HOLE_MS: Final = 14 * 86_400_000

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
_MONDAY_MS: Final = 4 * _DAY_MS  # 1970-01-05


class _WeekCounts:
    """How often each slot of the week was covered, kept as differences: a run of any length is counted in two steps."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._slots = _WEEK_MS // step
        self._steps = array("q", bytes(8 * (self._slots + 1)))

    def cover(self, first: int, last: int) -> None:
        """Count the slots from ``first`` to ``last``, both included (epoch milliseconds)."""
        slot = self.slot(first)
        laps, rest = divmod((last - first) // self._step + 1, self._slots)
        self._steps[0] += laps
        for begin, end in ((slot, min(slot + rest, self._slots)), (0, slot + rest - self._slots)):
            if end > begin:
                self._steps[begin] += 1
                self._steps[end] -= 1

    def slot(self, open_time: int) -> int:
        return ((open_time - _MONDAY_MS) // self._step) % self._slots

    def counts(self) -> list[int]:
        return list(accumulate(self._steps))


class SessionTemplate:
    """The weekly habit of one series, learned from its runs of unbroken candles."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._step = timeframe.milliseconds
        self._held: dict[timedelta, _WeekCounts] = {}
        self._spans: list[tuple[timedelta, int, int]] = []
        self._habits: dict[timedelta, list[bool]] = {}

    def saw(self, first: int, last: int) -> None:
        """Count a run from the open time ``first`` to ``last``, both included (epoch milliseconds). Runs come in time order."""
        offset = _offset(first)
        self._held.setdefault(offset, _WeekCounts(self._step)).cover(first, last)
        # A long hole is no part of the habit: else it would hide itself.
        if self._spans and self._spans[-1][0] == offset and first - self._spans[-1][2] <= LONGEST_HOLE_MS:
            self._spans[-1] = (offset, self._spans[-1][1], last)
        else:
            self._spans.append((offset, first, last))
        self._habits.clear()

    def expects(self, open_time: int) -> bool:
        """Whether the series usually has a candle there; yes where too little was seen to tell."""
        offset = _offset(open_time)
        held = self._held.get(offset)
        if held is None:
            return True
        if offset not in self._habits:
            self._habits[offset] = self._habit(offset, held)
        return self._habits[offset][held.slot(open_time)]

    def _habit(self, offset: timedelta, held: _WeekCounts) -> list[bool]:
        possible = _WeekCounts(self._step)
        for span_offset, first, last in self._spans:
            if span_offset == offset:
                possible.cover(first, last)
        return [
            weeks < TEMPLATE_WEEKS or count >= LEAST_SHARE * weeks
            for count, weeks in zip(held.counts(), possible.counts(), strict=True)
        ]


@lru_cache(maxsize=4_096)
def _offset_of_day(day: int) -> timedelta:
    return from_milliseconds(day * _DAY_MS).astimezone(ZoneInfo("America/New_York")).utcoffset() or timedelta()


def _offset(at: int) -> timedelta:
    # By UTC day: New York changes its clocks on a Sunday morning, when the markets that follow it are closed.
    return _offset_of_day((at + _DAY_MS // 2) // _DAY_MS)
