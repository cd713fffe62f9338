"""The weekly habit of one series (rule 3)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from tradingcore.kernel.market import Timeframe, from_milliseconds

TEMPLATE_WEEKS: Final = 4

_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
_MONDAY_MS: Final = 4 * _DAY_MS  # 1970-01-05


@dataclass(frozen=True, slots=True, eq=False)
class _Regime:
    """How often each slot of the week held a candle, for one offset of New York from UTC."""

    steps: array[int]
    weeks: set[int] = field(default_factory=set)


class SessionTemplate:
    """The weekly habit of one series, learned from its runs of unbroken candles."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._step = timeframe.milliseconds
        self._slots = _WEEK_MS // self._step
        self._regimes: dict[timedelta, _Regime] = {}
        self._shares: dict[timedelta, array[float] | None] = {}

    def saw(self, first: int, last: int) -> None:
        """Count a run of candles from the open time ``first`` to ``last``, both included (epoch milliseconds)."""
        regime = self._regimes.setdefault(_offset(first), _Regime(array("q", bytes(8 * (self._slots + 1)))))
        start, count = (first - _MONDAY_MS) // self._step, (last - first) // self._step + 1
        regime.weeks.update(range(start // self._slots, (start + count - 1) // self._slots + 1))
        laps, rest = divmod(count, self._slots)
        slot = start % self._slots
        regime.steps[0] += laps
        for begin, end in ((slot, min(slot + rest, self._slots)), (0, slot + rest - self._slots)):
            if end > begin:
                regime.steps[begin] += 1
                regime.steps[end] -= 1
        self._shares.clear()

    def expects(self, open_time: int) -> bool:
        """Whether the series usually has a candle there; yes where too little was seen to tell."""
        offset = _offset(open_time)
        if offset not in self._shares:
            self._shares[offset] = self._share(offset)
        share = self._shares[offset]
        return share is None or share[((open_time - _MONDAY_MS) // self._step) % self._slots] >= 0.5

    def _share(self, offset: timedelta) -> array[float] | None:
        regime = self._regimes.get(offset)
        if regime is None or len(regime.weeks) < TEMPLATE_WEEKS:
            return None
        shares, running = array("d"), 0
        for step in regime.steps:
            running += step
            shares.append(running / len(regime.weeks))
        return shares


@lru_cache(maxsize=4_096)
def _offset_of_day(day: int) -> timedelta:
    return from_milliseconds(day * _DAY_MS).astimezone(ZoneInfo("America/New_York")).utcoffset() or timedelta()


def _offset(at: int) -> timedelta:
    # By UTC day: New York changes its clocks on a Sunday morning, when the markets that follow it are closed.
    return _offset_of_day((at + _DAY_MS // 2) // _DAY_MS)
