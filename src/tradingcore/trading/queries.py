"""Reads of the trading context. Symbols, signals and decisions are frozen values and serve as their own views."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, Signal, SignalStatus
from tradingcore.trading.model.symbol import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFilter:
    symbol: SymbolCode | None = None
    timeframe: Timeframe | None = None
    side: Side | None = None
    status: SignalStatus | None = None
    edge_status: EdgeStatus | None = None
    since: datetime | None = None
    minimum_probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    symbol: SymbolCode | None = None
    timeframe: Timeframe | None = None
    reason: DecisionReason | None = None
    since: datetime | None = None


class TradingQueries(Protocol):
    """Lists are newest first: signals by (issued_at, id), decisions by (decided_at, id)."""

    __slots__ = ()

    @abstractmethod
    async def list_symbols(self) -> Sequence[Symbol]:
        """Return all symbols by code."""

    @abstractmethod
    async def get_symbol(self, code: SymbolCode) -> Symbol:
        """Raise `SymbolNotFound`."""

    @abstractmethod
    async def get_signal(self, signal_id: SignalId) -> Signal:
        """Raise `SignalNotFound`."""

    @abstractmethod
    async def list_signals(self, where: SignalFilter, page: PageRequest) -> Page[Signal]: ...

    @abstractmethod
    async def list_decisions(self, where: DecisionFilter, page: PageRequest) -> Page[Decision]: ...

    @abstractmethod
    async def find_decision(self, key: SeriesKey, candle: datetime) -> Decision | None: ...

    @abstractmethod
    async def list_live_series(self) -> Sequence[LiveSeries]:
        """Return the watched series by key."""
