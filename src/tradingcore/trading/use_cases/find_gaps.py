from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.errors import CandlesNotFound
from tradingcore.trading.ports import CandleStore
from tradingcore.trading.queries import TradingQueries
from tradingcore.trading.sessions import GapFinder, GapReport
from tradingcore.trading.use_cases.stored_chunks import stored_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class FindGapsCommand:
    """Gaps between ``start`` and ``stop``; at most ``limit`` are listed, all are counted."""

    key: SeriesKey
    start: datetime | None = None
    stop: datetime | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindGaps(UseCase[FindGapsCommand, GapReport]):
    """Compare stored candles with the calendar of their symbol and with their own weekly habit."""

    permission: ClassVar[Permission] = Permission.MARKET_READ

    candles: CandleStore
    queries: TradingQueries

    async def handle(self, actor: Actor, command: FindGapsCommand) -> GapReport:
        """Raises `SymbolNotFound`, and `CandlesNotFound` when nothing is stored."""
        symbol = await self.queries.get_symbol(command.key.symbol)
        finder = GapFinder(command.key)
        async for chunk in stored_chunks(self.candles, command.key, command.start, command.stop):
            finder.add(chunk.open_times)
        report = finder.report(symbol.calendar, at_most=command.limit)
        if not report.candles:
            raise CandlesNotFound(f"nothing is stored of {command.key} in this range: import candles first")
        return report
