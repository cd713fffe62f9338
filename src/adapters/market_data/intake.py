"""What every candle file has in common: vectorised checks, and a reason for each row that is no candle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from tradingcore.kernel.market import CandleSeries, SeriesKey, Timeframe, candle_fault, from_milliseconds
from tradingcore.trading.errors import CandleFileUnreadable
from tradingcore.trading.ports import CandleChunk, RejectedRow

Times = npt.NDArray[np.int64]
Prices = Sequence[npt.NDArray[np.float64]]
RowText = Callable[[int], str]

MONDAY_MS: Final = 4 * 86_400_000
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
MINIMUM_ROWS_TO_JUDGE: Final = 4
SHOWN_CHARACTERS: Final = 200


@dataclass(slots=True, eq=False)
class SeenTimes:
    """One bit per candle of the span read so far: repeats are found wherever they stand in the file, in flat memory."""

    step: int
    _origin: int | None = None
    _bits: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))

    def add(self, times: Times) -> npt.NDArray[np.bool_]:
        """Mark sorted, aligned, distinct times and return which of them were marked before."""
        if not len(times):
            return np.zeros(0, dtype=np.bool_)
        slots = self._slots(times)
        first, stop = int(slots[0]) // 8, int(slots[-1]) // 8 + 1
        marks = np.unpackbits(self._bits[first:stop], bitorder="little")
        slots -= first * 8
        before = marks[slots].astype(np.bool_)
        marks[slots] = 1
        self._bits[first:stop] = np.packbits(marks, bitorder="little")
        return before

    def _slots(self, times: Times) -> Times:
        """Numbers of the times from the origin on, after making room for them on both sides."""
        if self._origin is None:
            self._origin = int(times[0])
        first = (int(times[0]) - self._origin) // self.step
        if first < 0:
            # At least doubled, so that a file which goes back in time is not copied for each block.
            room = max(-(first // 8), len(self._bits))
            self._bits = np.concatenate([np.zeros(room, dtype=np.uint8), self._bits])
            self._origin -= room * 8 * self.step
        slots: Times = (times - self._origin) // self.step
        short = int(slots[-1]) // 8 + 1 - len(self._bits)
        if short > 0:
            self._bits = np.concatenate([self._bits, np.zeros(max(short, len(self._bits)), dtype=np.uint8)])
        return slots


@dataclass(slots=True, eq=False)
class CandleIntake:
    """Checks the rows of one file, block by block."""

    key: SeriesKey
    file: str
    _seen: SeenTimes = field(init=False)
    _is_judged: bool = False

    def __post_init__(self) -> None:
        self._seen = SeenTimes(self.key.timeframe.milliseconds)

    def chunk(
        self,
        times: Times,
        prices: Prices,
        lines: Times,
        text: RowText,
        *,
        rows_read: int,
        bytes_read: int,
        rejected: Sequence[RejectedRow] = (),
        nonexistent: npt.NDArray[np.bool_] | None = None,
    ) -> CandleChunk:
        """Sort out one block. ``prices`` are open, high, low, close, volume; ``text`` gives the row of an index back.

        Raises `CandleFileUnreadable` when the rows are candles of another timeframe.
        """
        reasons: dict[int, str] = {}
        good = self._sound(times, prices, nonexistent, reasons)
        if not self._is_judged:
            self._judge(np.unique(times[good]))
        good = self._aligned(times, good, reasons)
        order = np.flatnonzero(good)
        if np.any(np.diff(times[order]) <= 0):
            order = order[np.argsort(times[order], kind="stable")]
        order = self._first_only(times, order, reasons)
        columns = [np.ascontiguousarray(column[order]).data for column in (times, *prices)]
        series = CandleSeries.from_columns(self.key, *columns)
        rows = [
            *rejected,
            *(RejectedRow(line=int(lines[i]), reason=why, text=text(i)[:SHOWN_CHARACTERS]) for i, why in reasons.items()),
        ]
        rows.sort(key=lambda row: row.line)
        return CandleChunk(candles=series, rejected=tuple(rows), rows_read=rows_read, bytes_read=bytes_read)

    def _sound(
        self, times: Times, prices: Prices, nonexistent: npt.NDArray[np.bool_] | None, reasons: dict[int, str]
    ) -> npt.NDArray[np.bool_]:
        open_, high, low, close, volume = prices
        with np.errstate(invalid="ignore"):
            good = (low > 0) & (high < np.inf) & (volume >= 0) & (volume < np.inf)
            good &= (low <= open_) & (low <= close) & (high >= open_) & (high >= close)
        for index in np.flatnonzero(~good):
            reasons[int(index)] = candle_fault(*(float(column[index]) for column in prices)) or "is no candle"
        in_range = (times >= 0) & (times < LATEST_MS)
        for index in np.flatnonzero(~in_range & good):
            reasons[int(index)] = f"timestamp lies outside 1970 to 2099, was {int(times[index])} epoch milliseconds"
        good &= in_range
        if nonexistent is not None:
            for index in np.flatnonzero(nonexistent & good):
                reasons[int(index)] = "this local time does not exist: clocks were set forward over it"
            good &= ~nonexistent
        return good

    def _aligned(self, times: Times, good: npt.NDArray[np.bool_], reasons: dict[int, str]) -> npt.NDArray[np.bool_]:
        aligned = _is_aligned(times, self.key.timeframe)
        for index in np.flatnonzero(good & ~aligned):
            at = from_milliseconds(int(times[index]))
            reasons[int(index)] = f"{at.isoformat()} is not the open of a {self.key.timeframe.value} candle"
        return good & aligned

    def _first_only(self, times: Times, order: npt.NDArray[np.intp], reasons: dict[int, str]) -> npt.NDArray[np.intp]:
        ordered = times[order]
        repeats = np.zeros(len(order), dtype=np.bool_)
        repeats[1:] = ordered[1:] == ordered[:-1]
        repeats[~repeats] = self._seen.add(ordered[~repeats])
        for index in order[repeats]:
            at = from_milliseconds(int(times[index]))
            reasons[int(index)] = f"{at.isoformat()} is in the file already: the first candle of a time counts"
        return order[~repeats]

    def _judge(self, times: Times) -> None:
        """Compare spacing and alignment of the first good rows (sorted, unique) with the timeframe that was asked for."""
        if not len(times):
            return
        timeframe = self.key.timeframe
        if len(times) >= MINIMUM_ROWS_TO_JUDGE:
            self._is_judged = True
            steps, counts = np.unique(np.diff(times), return_counts=True)
            commonest = int(steps[np.argmax(counts)])
            if commonest < timeframe.milliseconds or (commonest == steps[0] and commonest > timeframe.milliseconds):
                raise CandleFileUnreadable(
                    f"{self.file} holds {_span(commonest)} candles (the commonest step between its first {len(times)} rows), "
                    f"not {timeframe.value} ones: ask for the timeframe of the file and join candles later"
                )
        if not np.any(_is_aligned(times, timeframe)):
            raise CandleFileUnreadable(
                f"{self.file}: none of its first {len(times)} rows opens on a {timeframe.value} boundary in UTC, the first is "
                f"{from_milliseconds(int(times[0])).isoformat()}; candles carry their open time: is the timezone right?"
            )


def _is_aligned(times: Times, timeframe: Timeframe) -> npt.NDArray[np.bool_]:
    origin = MONDAY_MS if timeframe is Timeframe.W1 else 0
    aligned: npt.NDArray[np.bool_] = (times - origin) % timeframe.milliseconds == 0
    return aligned


def _span(step_ms: int) -> str:
    for timeframe in Timeframe:
        if timeframe.milliseconds == step_ms:
            return timeframe.value
    return f"{step_ms / 60_000:g}-minute" if step_ms >= 60_000 else f"{step_ms / 1000:g}-second"
