from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tradingcore.kernel.market import Calendar, SeriesKey, Timeframe
from tradingcore.trading.sessions.expected import Gap, Sessions
from tradingcore.trading.sessions.template import SessionTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """Gaps of one series against its calendar: how many, how many candles they miss, and the first of them."""

    key: SeriesKey
    calendar: Calendar
    candles: int
    gap_count: int
    missing: int
    gaps: tuple[Gap, ...]


class GapFinder:
    """Finds the gaps of a series that is fed in chunks.

    Chunks may come in any order; memory grows with the number of holes, not of candles.
    """

    def __init__(self, key: SeriesKey) -> None:
        self._key = key
        self._step = key.timeframe.milliseconds
        self._firsts = array("q")
        self._lasts = array("q")
        self._candles = 0

    def add(self, open_times: memoryview) -> None:
        """Take increasing open times (epoch milliseconds)."""
        self._candles += len(open_times)
        if len(open_times):
            self._split(open_times, 0, len(open_times) - 1)

    def report(self, calendar: Calendar, *, at_most: int | None = None) -> GapReport:
        """Compare what was seen with ``calendar``; list ``at_most`` gaps, all for ``None``."""
        runs = list(self._runs())
        template = None
        if calendar is not Calendar.ALWAYS and self._key.timeframe is not Timeframe.W1:
            template = SessionTemplate(self._key.timeframe)
            for first, last in runs:
                template.saw(first, last)
        sessions = Sessions(calendar, self._key.timeframe, template)
        gaps, count, missing = [], 0, 0
        for (_, before), (after, _) in pairwise(runs):
            gap = sessions.gap_between(before, after)
            if gap is not None:
                count, missing = count + 1, missing + gap.missing
                if at_most is None or count <= at_most:
                    gaps.append(gap)
        return GapReport(
            key=self._key, calendar=calendar, candles=self._candles, gap_count=count, missing=missing, gaps=tuple(gaps)
        )

    def _split(self, times: memoryview, left: int, right: int) -> None:
        # Halving finds the few holes of a long run without looking at each candle.
        if times[right] - times[left] == (right - left) * self._step:
            self._append(times[left], times[right])
        elif right - left == 1:
            self._append(times[left], times[left])
            self._append(times[right], times[right])
        else:
            middle = (left + right) // 2
            self._split(times, left, middle)
            self._split(times, middle + 1, right)

    def _append(self, first: int, last: int) -> None:
        if self._lasts and self._lasts[-1] + self._step == first:
            self._lasts[-1] = last
        else:
            self._firsts.append(first)
            self._lasts.append(last)

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Runs in time order, joined where they touch or overlap."""
        run: tuple[int, int] | None = None
        for first, last in sorted(zip(self._firsts, self._lasts, strict=True)):
            if run is not None and first <= run[1] + self._step:
                run = (run[0], max(run[1], last))
            else:
                if run is not None:
                    yield run
                run = (first, last)
        if run is not None:
            yield run
