from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.symbol import Symbol
from tradingcore.trading.ports import CandleStore, SeriesExtent
from tradingcore.trading.queries import TradingQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSymbolsCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSymbol:
    """A symbol and how much of it is stored, shortest timeframe first."""

    symbol: Symbol
    series: tuple[SeriesExtent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSymbols(UseCase[ListSymbolsCommand, Sequence[ListedSymbol]]):
    """List all symbols by code."""

    permission: ClassVar[Permission] = Permission.MARKET_READ

    candles: CandleStore
    queries: TradingQueries

    async def handle(self, actor: Actor, command: ListSymbolsCommand) -> Sequence[ListedSymbol]:
        extents = sorted(await self.candles.list_extents(), key=lambda extent: extent.key.timeframe.milliseconds)
        return [
            ListedSymbol(symbol=symbol, series=tuple(extent for extent in extents if extent.key.symbol == symbol.code))
            for symbol in await self.queries.list_symbols()
        ]
