"""The market vocabulary that several contexts share: symbols, timeframes, calendars, candles and columns of candles."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Final, NewType

from tradingcore.kernel.errors import InvalidInput

SymbolCode = NewType("SymbolCode", str)

_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}(/[A-Z0-9]{2,10})?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)


def symbol_code(text: str) -> SymbolCode:
    """Parse a symbol: ``BTC/USDT``, ``EUR/USD``, ``AAPL``. Raises `InvalidInput`."""
    if not _CODE.fullmatch(text):
        raise InvalidInput(f"a symbol looks like BTC/USDT, EUR/USD or AAPL, was {text[:40]!r}")
    return SymbolCode(text)


def to_milliseconds(at: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware time."""
    return (at - _EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    """The aware UTC time of epoch milliseconds."""
    return _EPOCH + timedelta(milliseconds=value)


class AssetClass(StrEnum):
    CRYPTO = "crypto"
    FX = "fx"
    METAL = "metal"
    EQUITY = "equity"
    INDEX = "index"


class Calendar(StrEnum):
    """When a market trades. Exact sessions come from observed data; this fixes what models take as constants."""

    ALWAYS = "24/7"
    FX_WEEK = "fx-week"
    METAL_WEEK = "metal-week"
    US_EQUITY = "us-equity"


class Timeframe(StrEnum):
    """How long a candle lasts. Opens are aligned to UTC; a week starts on Monday 00:00."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"
    W1 = "1w"

    @property
    def duration(self) -> timedelta:
        return _DURATIONS[self]

    @property
    def milliseconds(self) -> int:
        return _DURATIONS[self] // _MILLISECOND

    def is_aligned(self, at: datetime) -> bool:
        """Whether a candle of this timeframe can open at ``at``."""
        return self.open_of(at) == at

    def open_of(self, at: datetime) -> datetime:
        """The open time of the candle that holds ``at``."""
        origin = _FIRST_MONDAY if self is Timeframe.W1 else _EPOCH
        return at - (at - origin) % _DURATIONS[self]

    def close_of(self, open_time: datetime) -> datetime:
        """When the candle that opens at ``open_time`` closes."""
        return open_time + _DURATIONS[self]


_DURATIONS: Final = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
    Timeframe.W1: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One symbol in one timeframe: what a chart shows, a model learns from and a signal is about."""

    symbol: SymbolCode
    timeframe: Timeframe

    def __str__(self) -> str:
        return f"{self.symbol}:{self.timeframe.value}"


def series_key(text: str) -> SeriesKey:
    """Parse ``BTC/USDT:1h``. Raises `InvalidInput`."""
    symbol, _, timeframe = text.rpartition(":")
    try:
        return SeriesKey(symbol_code(symbol), Timeframe(timeframe))
    except ValueError:
        known = " ".join(one.value for one in Timeframe)
        raise InvalidInput(f"a series looks like BTC/USDT:1h, with a timeframe of {known}, was {text[:40]!r}") from None


@dataclass(frozen=True, slots=True)
class Candle:
    """A closed candle, labelled by its open time (UTC). Prices are floats: market data, not money."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __post_init__(self) -> None:
        fault = candle_fault(self.open, self.high, self.low, self.close, self.volume)
        if fault is not None:
            raise InvalidInput(f"candle {self.open_time.isoformat()}: {fault}")


def candle_fault(open_: float, high: float, low: float, close: float, volume: float) -> str | None:
    """Why these numbers are no candle, or ``None``: ``0 < low <= min(open, close) <= max(open, close) <= high``, volume >= 0."""
    for name, value in (("open", open_), ("high", high), ("low", low), ("close", close)):
        if not isfinite(value):
            return f"{name} is not a finite number, was {value}"
        if value <= 0:
            return f"{name} must be above zero, was {value}"
    if not isfinite(volume) or volume < 0:
        return f"volume must be zero or more, was {volume}"
    if high < low:
        return f"high {high} is below low {low}"
    if low > min(open_, close) or high < max(open_, close):
        return f"open {open_} and close {close} must lie between low {low} and high {high}"
    return None


@dataclass(frozen=True, slots=True, eq=False)
class CandleSeries:
    """Closed candles of one symbol and timeframe as columns, strictly increasing in time.

    Columns are read-only memoryviews of equal length: ``open_times`` holds epoch milliseconds (int64, format ``q``), the others
    float64 (format ``d``). numpy reads them without a copy. Builders validate once; slices share memory.
    """

    key: SeriesKey
    open_times: memoryview
    open: memoryview
    high: memoryview
    low: memoryview
    close: memoryview
    volume: memoryview

    @classmethod
    def of(cls, key: SeriesKey, candles: Iterable[Candle]) -> CandleSeries:
        """Build from candles in order. Raises `InvalidInput` for one that is out of order or not aligned."""
        times = array("q")
        columns = tuple(array("d") for _ in range(5))
        for candle in candles:
            at = to_milliseconds(candle.open_time)
            if not key.timeframe.is_aligned(candle.open_time):
                raise InvalidInput(f"{candle.open_time.isoformat()} is not the open of a {key.timeframe.value} candle")
            if times and at <= times[-1]:
                raise InvalidInput(f"candles must increase in time, {candle.open_time.isoformat()} does not")
            times.append(at)
            for column, value in zip(columns, (candle.open, candle.high, candle.low, candle.close, candle.volume), strict=True):
                column.append(value)
        return cls.from_columns(key, times, *columns)

    @classmethod
    def from_columns(
        cls,
        key: SeriesKey,
        open_times: array[int] | memoryview,
        open_: array[float] | memoryview,
        high: array[float] | memoryview,
        low: array[float] | memoryview,
        close: array[float] | memoryview,
        volume: array[float] | memoryview,
    ) -> CandleSeries:
        """Wrap columns that are known to hold candles in order (a store, a validated file). Anything with the buffer protocol."""
        views = [memoryview(column).toreadonly() for column in (open_times, open_, high, low, close, volume)]
        # "l" is what numpy calls int64 where a C long has 8 bytes.
        is_int64 = views[0].format in ("q", "l") and views[0].itemsize == 8
        if not is_int64 or any(view.format != "d" for view in views[1:]):
            raise TypeError("open_times must be int64 and the other columns float64")
        if len({len(view) for view in views}) != 1:
            raise InvalidInput("the columns of a candle series differ in length")
        return cls(key, *views)

    def __len__(self) -> int:
        return len(self.open_times)

    def __getitem__(self, index: int) -> Candle:
        return Candle(
            from_milliseconds(self.open_times[index]),
            self.open[index],
            self.high[index],
            self.low[index],
            self.close[index],
            self.volume[index],
        )

    def __iter__(self) -> Iterator[Candle]:
        return (self[index] for index in range(len(self)))

    def slice(self, start: int, stop: int) -> CandleSeries:
        """The candles ``start <= index < stop``, sharing memory."""
        part = slice(start, stop)
        return CandleSeries(
            self.key,
            self.open_times[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
        )

    def up_to(self, at: datetime, count: int) -> CandleSeries:
        """The last ``count`` candles that open at or before ``at``, fewer where there are not so many."""
        stop = bisect_right(self.open_times, to_milliseconds(at))
        return self.slice(max(0, stop - count), stop)

    @property
    def first_open_time(self) -> datetime:
        return from_milliseconds(self.open_times[0])

    @property
    def last_open_time(self) -> datetime:
        return from_milliseconds(self.open_times[-1])
