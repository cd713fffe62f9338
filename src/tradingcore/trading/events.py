"""Facts of the trading context. All events of one series share an ordering key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.market import Candle, SymbolCode, Timeframe
from tradingcore.trading.ids import SignalId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesEvent(DomainEvent):
    type: ClassVar[str] = "trading.series_event"
    symbol: SymbolCode
    timeframe: Timeframe

    @property
    def ordering_key(self) -> str:
        return f"{self.symbol}:{self.timeframe.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed(SeriesEvent):
    """A candle of a watched series closed and is stored. ``occurred_at`` is when it was received, on the feed's clock.

    ``missing_candles`` counts the candles between this and the one before that the calendar expects and nobody could deliver.
    """

    type: ClassVar[str] = "trading.candle_closed"
    candle: Candle
    source: str
    missing_candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIssued(SeriesEvent):
    type: ClassVar[str] = "trading.signal_issued"
    signal_id: SignalId


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalResolved(SeriesEvent):
    type: ClassVar[str] = "trading.signal_resolved"
    signal_id: SignalId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWentStale(SeriesEvent):
    """No candle came when the calendar says one was due; the series gives no signals until it is fresh again."""

    type: ClassVar[str] = "trading.series_went_stale"
    last_closed: datetime


EVENTS: tuple[type[DomainEvent], ...] = (CandleClosed, SignalIssued, SignalResolved, SeriesWentStale)
