"""From what a file says about time to epoch milliseconds in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from adapters.market_data.arrow import arrow_milliseconds, milliseconds
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Timeframe, to_milliseconds
from tradingcore.trading.errors import CandleFileUnreadable

Milliseconds = npt.NDArray[np.int64]

_EPOCH_UNITS: Final = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
"""Below which magnitude a number is seconds, milliseconds, microseconds, nanoseconds; and milliseconds per unit."""
_OFFSET: Final = re.compile(r"(?:[zZ]|([+-])(\d\d):?(\d\d)?)$")
_DST: Final = timedelta(hours=1)
_DATED: Final = frozenset({Timeframe.D1, Timeframe.W1})


class TimeKind(Enum):
    """How a file writes time; the first row decides for all."""

    EPOCH = "epoch"
    AWARE = "aware"
    NAIVE = "naive"
    DATE = "date"


def epoch_scale(value: float) -> float:
    """Milliseconds per unit of an epoch number, by its magnitude."""
    return next(scale for limit, scale in _EPOCH_UNITS if abs(value) < limit)


def as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def kind_of(text: str) -> TimeKind | None:
    """The kind of one timestamp, or ``None`` for what is no time."""
    stripped = text.strip()
    # Eight digits are a date of the basic ISO format; as seconds they would lie in 1970.
    if as_number(stripped) is not None and not (len(stripped) == 8 and stripped.isdigit()):
        return TimeKind.EPOCH
    try:
        at = datetime.fromisoformat(stripped)
    except ValueError:
        return None
    if at.tzinfo is not None:
        return TimeKind.AWARE
    return TimeKind.DATE if len(stripped) <= 10 and ":" not in stripped else TimeKind.NAIVE


@dataclass(slots=True, eq=False)
class Timestamps:
    """Turns the times of one file into UTC. ``zone`` (an IANA name) is for times that carry none."""

    file: str
    timeframe: Timeframe
    zone: str | None
    kind: TimeKind
    scale: float = 1.0
    _offsets: dict[timedelta, tuple[str, int]] = field(default_factory=dict)
    _last: int = -(2**62)

    @classmethod
    def like(cls, sample: str, *, line: int, file: str, timeframe: Timeframe, zone: str | None) -> Timestamps:
        """Decide by the first timestamp. Raises `CandleFileUnreadable`."""
        kind = kind_of(sample)
        if kind is None:
            raise CandleFileUnreadable(
                f"{file} line {line}: {sample[:40]!r} is no timestamp; write ISO 8601 (2024-01-31T13:00:00Z) or epoch seconds "
                "or milliseconds"
            )
        scale = epoch_scale(float(sample)) if kind is TimeKind.EPOCH else 1.0
        stamps = cls(file, timeframe, zone, kind, scale)
        stamps.require_zone(f"{sample[:40]!r} in line {line}")
        return stamps

    def require_zone(self, where: str) -> None:
        """Raise `InvalidInput` when times carry no zone and none was given."""
        if self.zone is None and (self.kind is TimeKind.NAIVE or (self.kind is TimeKind.DATE and not self.is_dated)):
            raise InvalidInput(f"{self.file}: {where} has no timezone; say which it is with --timezone, for example --timezone UTC")

    @property
    def is_dated(self) -> bool:
        """Whether a candle is labelled by a date, which no timezone moves."""
        return self.timeframe in _DATED

    def parse(self, text: str, line: int) -> int | str:
        """One timestamp as milliseconds, local ones before `to_utc`; or the sentence why not."""
        stripped = text.strip()
        kind = kind_of(stripped)
        if kind is None:
            return f"{stripped[:40]!r} is no timestamp"
        if kind is not self.kind and {kind, self.kind} != {TimeKind.NAIVE, TimeKind.DATE}:
            return f"timestamp {stripped[:40]!r} is {_DESCRIBED[kind]}, but the file began with one that is {_DESCRIBED[self.kind]}"
        if kind is TimeKind.EPOCH:
            number = float(stripped) * self.scale
            return round(number) if abs(number) < 2**53 else f"{stripped[:40]!r} is no timestamp"
        at = datetime.fromisoformat(stripped)
        if at.tzinfo is None:
            return to_milliseconds(at.replace(tzinfo=UTC))
        self.saw_offset(at.utcoffset() or timedelta(), stripped, line)
        return to_milliseconds(at)

    def saw_offset(self, offset: timedelta, text: str, line: int) -> None:
        """Remember a UTC offset. Raises `CandleFileUnreadable` when it does not go with the others: summer and winter time do."""
        if offset in self._offsets:
            return
        for other, (sample, first) in self._offsets.items():
            if abs(offset - other) > _DST:
                raise CandleFileUnreadable(
                    f"{self.file} mixes timezones: {sample[:40]!r} in line {first} and {text[:40]!r} in line {line}; "
                    "write all rows in one timezone, UTC for example"
                )
        self._offsets[offset] = (text, line)

    def from_text(self, column: Any) -> Milliseconds | None:
        """A whole Arrow string column, or ``None`` when a row of it needs a closer look."""
        kind = pa.timestamp("ms", "UTC") if self.kind is TimeKind.AWARE else pa.timestamp("ms")
        try:
            times = column.cast(kind)
        except pa.ArrowInvalid:
            return None
        if times.null_count:
            return None
        if self.kind is TimeKind.AWARE and not self._knows_all_offsets(column):
            return None
        return milliseconds(times)

    def _knows_all_offsets(self, column: Any) -> bool:
        # A new offset is met in the row-by-row pass, which knows its line.
        endings = pc.unique(pc.utf8_slice_codeunits(column, -6, None)).to_pylist()
        return all(_ending_offset(ending) in self._offsets for ending in endings)

    def from_numbers(self, values: npt.NDArray[Any]) -> Milliseconds:
        """A whole column of epoch numbers."""
        if values.dtype.kind in "iu" and self.scale >= 1:
            return values.astype(np.int64) * int(self.scale)
        if values.dtype.kind in "iu":
            return values.astype(np.int64) // round(1 / self.scale)
        rounded: Milliseconds = np.rint(np.nan_to_num(values, nan=-1.0, posinf=-1.0, neginf=-1.0) * self.scale).astype(np.int64)
        return rounded

    def to_utc(self, times: Milliseconds) -> tuple[Milliseconds, npt.NDArray[np.bool_]]:
        """UTC milliseconds in file order, and a mask of local times that do not exist (clocks jumped over them).

        A local hour that comes twice, in autumn, is its first pass until the file repeats it.
        """
        valid = np.zeros(len(times), dtype=np.bool_)
        if self.kind in (TimeKind.EPOCH, TimeKind.AWARE) or self.zone is None:
            return times, valid
        if self.is_dated and not np.any(times % 86_400_000):
            return times, valid
        local = arrow_milliseconds(times, None)
        early = pc.assume_timezone(local, self.zone, ambiguous="earliest", nonexistent="earliest")
        late = milliseconds(pc.assume_timezone(local, self.zone, ambiguous="latest", nonexistent="latest"))
        missing = milliseconds(pc.local_timestamp(early)) != times
        utc = milliseconds(early).copy()
        for index in np.flatnonzero((late != utc) & ~missing):
            before = utc[index - 1] if index else self._last
            if utc[index] <= before:
                utc[index] = late[index]
        if len(utc):
            self._last = int(utc[-1])
        return utc, missing


_DESCRIBED: Final = {
    TimeKind.EPOCH: "a number",
    TimeKind.AWARE: "text with a timezone",
    TimeKind.NAIVE: "text without a timezone",
    TimeKind.DATE: "a date",
}


def _ending_offset(ending: str) -> timedelta | None:
    match = _OFFSET.search(ending)
    if match is None or not match[1]:
        return None if match is None else timedelta()
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return -offset if match[1] == "-" else offset
