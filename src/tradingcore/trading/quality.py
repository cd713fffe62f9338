"""Candles that are possible but suspicious. They are stored; a person should look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from tradingcore.kernel.market import CandleSeries, from_milliseconds

JUMP_ATRS: Final = 20.0
ATR_PERIOD: Final = 14
SPLIT_RATIOS: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0)
SPLIT_TOLERANCE: Final = 0.02
EXAMPLES: Final = 20

_SMALLEST_SPLIT: Final = SPLIT_RATIOS[0] * (1 - SPLIT_TOLERANCE)


class Suspicion(StrEnum):
    ZERO_RANGE = "zero_range"
    """High equals low: nothing traded, or the feed repeated a price."""
    ZERO_VOLUME = "zero_volume"
    JUMP = "jump"
    """The close moved by more than 20 ATR(14) (Wilder, known one candle earlier) since the close before."""
    SPLIT = "split"
    """The open stands to the close before within 2 % of a split ratio (3:2, 2:1, 3:1 ... or the inverse): an unadjusted split?"""


@dataclass(frozen=True, slots=True)
class SuspiciousCandle:
    open_time: datetime
    suspicion: Suspicion


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """How many candles each suspicion met, and the first examples of each."""

    counts: dict[Suspicion, int]
    examples: tuple[SuspiciousCandle, ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def is_split_ratio(ratio: float) -> bool:
    """Whether ``ratio`` (a price by the price before it) lies within 2 % of a split ratio or of its inverse."""
    larger = ratio if ratio > 1 else 1 / ratio
    return any(abs(larger / split - 1) <= SPLIT_TOLERANCE for split in SPLIT_RATIOS)


@dataclass(slots=True)
class QualityCheck:
    """Looks at a series in chunks. Jumps are measured inside increasing runs; a chunk that goes back in time starts anew."""

    _counts: dict[Suspicion, int] = field(default_factory=lambda: dict.fromkeys(Suspicion, 0))
    _examples: list[SuspiciousCandle] = field(default_factory=list)
    _last_time: int | None = None
    _close: float = 0.0
    _atr: float = 0.0
    _seen: int = 0

    def add(self, candles: CandleSeries) -> None:
        if not len(candles):
            return
        if self._last_time is None or candles.open_times[0] <= self._last_time:
            self._seen, self._atr, self._close = 0, 0.0, candles.open[0]
        self._last_time = candles.open_times[-1]
        high, low, volume = candles.high.tolist(), candles.low.tolist(), candles.volume.tolist()
        self._flag(
            candles, Suspicion.ZERO_RANGE, [i for i, (top, bottom) in enumerate(zip(high, low, strict=True)) if top == bottom]
        )
        if 0.0 in volume:
            self._flag(candles, Suspicion.ZERO_VOLUME, [i for i, traded in enumerate(volume) if traded == 0.0])
        self._measure(candles, high, low)

    def report(self) -> QualityReport:
        return QualityReport(
            counts={suspicion: count for suspicion, count in self._counts.items() if count},
            examples=tuple(sorted(self._examples, key=lambda example: (example.open_time, example.suspicion))),
        )

    def _measure(self, candles: CandleSeries, high: Sequence[float], low: Sequence[float]) -> None:
        before, atr, seen = self._close, self._atr, self._seen
        jumps: list[int] = []
        splits: list[int] = []
        limit = JUMP_ATRS
        for index, (opened, top, bottom, close) in enumerate(
            zip(candles.open.tolist(), high, low, candles.close.tolist(), strict=True)
        ):
            true_range = (top if top > before else before) - (
                bottom if bottom < before else before
            )  # max() costs three times as much
            if seen < ATR_PERIOD:
                seen += 1
                atr += (true_range - atr) / seen
            else:
                move = close - before
                reach = limit * atr
                if move > reach or -move > reach:
                    jumps.append(index)
                atr += (true_range - atr) / ATR_PERIOD
            if (opened > before * _SMALLEST_SPLIT or before > opened * _SMALLEST_SPLIT) and is_split_ratio(opened / before):
                splits.append(index)
            before = close
        self._close, self._atr, self._seen = before, atr, seen
        self._flag(candles, Suspicion.JUMP, jumps)
        self._flag(candles, Suspicion.SPLIT, splits)

    def _flag(self, candles: CandleSeries, suspicion: Suspicion, indices: list[int]) -> None:
        room = EXAMPLES - self._counts[suspicion]
        self._counts[suspicion] += len(indices)
        self._examples.extend(
            SuspiciousCandle(from_milliseconds(candles.open_times[index]), suspicion) for index in indices[: max(room, 0)]
        )
