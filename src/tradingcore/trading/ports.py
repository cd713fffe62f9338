"""What the trading context needs from the outside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode
from tradingcore.trading.ids import ForecastRef
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.outlook import Outlook
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Symbol


class SymbolRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def get(self, code: SymbolCode) -> Symbol:
        """Raise `SymbolNotFound` when there is none."""

    @abstractmethod
    async def find(self, code: SymbolCode) -> Symbol | None: ...

    @abstractmethod
    async def save(self, symbol: Symbol) -> Symbol:
        """Insert (version 0) or update. Raises `StaleVersion`; two inserts of one code: one wins, the other gets `StaleVersion`."""


class LiveSeriesRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def find(self, key: SeriesKey) -> LiveSeries | None: ...

    @abstractmethod
    async def save(self, series: LiveSeries) -> LiveSeries:
        """As `SymbolRepository.save`."""


class CandleAppender(Protocol):
    """Writes single candles inside the unit of work. The symbol must exist."""

    __slots__ = ()

    @abstractmethod
    async def append(self, key: SeriesKey, candles: Sequence[Candle]) -> None:
        """Store them. Candles that are stored already with the same numbers are left; a different one raises `CandleConflict`."""


class SignalRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def list_active(self, key: SeriesKey) -> Sequence[Signal]:
        """Return the signals that await their end, oldest first."""

    @abstractmethod
    async def save(self, signal: Signal) -> Signal:
        """Insert or update. Raises `StaleVersion`, also for a second signal of one (symbol, timeframe, candle, model version)."""

    @abstractmethod
    async def save_all(self, changed: Sequence[Signal]) -> Sequence[Signal]:
        """`save` different signals of one series in one go. When it raises, the unit of work must be left with the error."""

    @abstractmethod
    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        """Forget the signals whose decision candle opens at or after ``first``. For replays only."""


class DecisionRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def find(self, key: SeriesKey, candle: datetime) -> Decision | None: ...

    @abstractmethod
    async def save(self, decision: Decision) -> Decision:
        """Insert. Raises `StaleVersion` when the candle has a decision already."""

    @abstractmethod
    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        """As `SignalRepository.delete_from`."""


class TradingUnitOfWork(Protocol):
    """The repositories of one transaction."""

    __slots__ = ()

    @property
    @abstractmethod
    def symbols(self) -> SymbolRepository: ...

    @property
    @abstractmethod
    def live_series(self) -> LiveSeriesRepository: ...

    @property
    @abstractmethod
    def candles(self) -> CandleAppender: ...

    @property
    @abstractmethod
    def signals(self) -> SignalRepository: ...

    @property
    @abstractmethod
    def decisions(self) -> DecisionRepository: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCounts:
    """What a merge did with the candles. ``first_differing`` holds the first 20 open times at most."""

    inserted: int
    unchanged: int
    changed: int
    differing: int
    first_differing: tuple[datetime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesExtent:
    """How much of a series is stored."""

    key: SeriesKey
    count: int
    first: datetime
    last: datetime


class CandleStore(Protocol):
    """Stored candles, read as columns and written in bulk. A window is one index range scan."""

    __slots__ = ()

    @abstractmethod
    async def window(self, key: SeriesKey, *, last: datetime, count: int) -> CandleSeries:
        """Return the last ``count`` candles that open at or before ``last``; fewer where there are not so many."""

    @abstractmethod
    async def between(
        self, key: SeriesKey, *, start: datetime | None = None, stop: datetime | None = None, limit: int | None = None
    ) -> CandleSeries:
        """Return the candles with ``start <= open time < stop``, oldest first, at most ``limit``."""

    @abstractmethod
    async def extent(self, key: SeriesKey) -> SeriesExtent | None:
        """Return ``None`` when nothing is stored."""

    @abstractmethod
    async def list_extents(self) -> Sequence[SeriesExtent]:
        """Return every stored series, by symbol and timeframe."""

    @abstractmethod
    async def merge(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries], *, replace: bool) -> MergeCounts:
        """Store chunks in one transaction; nothing is kept when it fails or the iterator raises. The symbol must exist.

        Stored candles with the same numbers are left alone (``unchanged``). Different ones are replaced (``changed``) when
        ``replace`` is true, else left alone and counted as ``differing``. Chunks may overlap and come in any order; the last
        candle of one open time wins within one merge. Memory stays flat. Raises `Unavailable` when the store goes away.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """One line of a file that is no candle: 1-based line (or row) number, the sentence why, the row as it was read."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleChunk:
    """Part of a file: good candles in order, and the rows that were none."""

    candles: CandleSeries
    rejected: Sequence[RejectedRow] = ()
    rows_read: int = 0
    bytes_read: int = 0


class CandleSource(Protocol):
    """A file or another finite origin of candles, read in chunks that keep memory flat.

    Rows may be unsorted or repeated across chunks; within a chunk they are sorted and unique, exact repeats count as rejected.
    Raises `CandleFileUnreadable` when the whole cannot be read.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def size_bytes(self) -> int | None:
        """The size to measure progress against (``CandleChunk.bytes_read`` adds up to it), where it is known."""

    @abstractmethod
    def chunks(self, key: SeriesKey) -> AsyncIterator[CandleChunk]: ...


class RejectSink(Protocol):
    """Takes every rejected row of an import, where a report keeps the first few only."""

    __slots__ = ()

    @abstractmethod
    async def reject(self, rows: Sequence[RejectedRow]) -> None:
        """Keep them. Raises `CandleFileNotWritable`."""


class CandleSink(Protocol):
    """A file or another place outside that candles are exported to."""

    __slots__ = ()

    @abstractmethod
    async def write(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries]) -> int:
        """Write all chunks and return the number of candles. All or nothing: when it fails, or the iterator raises, what was there
        before is still there. Raises `CandleFileNotWritable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedCandle:
    """A closed candle as a feed delivers it. ``received_at`` is on the feed's own clock: a replay lives in the past."""

    key: SeriesKey
    candle: Candle
    received_at: datetime
    source: str


class MarketDataFeed(Protocol):
    """A stream of closed candles, per series in order as far as the venue allows."""

    __slots__ = ()

    @abstractmethod
    def closed_candles(self) -> AsyncIterator[FeedCandle]:
        """Yield candles until the feed ends (a replay does) or the iterator is closed."""

    @abstractmethod
    async def backfill(self, key: SeriesKey, *, after: datetime, before: datetime) -> Sequence[Candle]:
        """Return the candles that open strictly between the two times, as far as the venue still has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastExplanation:
    """A stored forecast, computed again from stored candles by the stored model.

    ``outlook`` is the recomputed one; ``features`` holds the inputs by horizon; ``mismatches`` names each number that differs from
    the stored forecast, bit for bit.
    """

    outlook: Outlook
    features: Mapping[int, Mapping[str, float]]
    mismatches: tuple[str, ...]
    lineage: Mapping[str, str]


class ForecastExplainer(Protocol):
    """Answers how a forecast came to be. Implemented by a bridge to the context that owns forecasts."""

    __slots__ = ()

    @abstractmethod
    async def explain(self, forecast_id: ForecastRef) -> ForecastExplanation:
        """Raise `NotFound` for an unknown forecast, `Unavailable` when its candles or its model are gone."""
