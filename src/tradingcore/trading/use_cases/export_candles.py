from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.errors import CandlesNotFound
from tradingcore.trading.ports import CandleSink, CandleStore
from tradingcore.trading.queries import TradingQueries
from tradingcore.trading.use_cases.stored_chunks import stored_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCandlesCommand:
    """Candles with ``start <= open time < stop``, all of them where a bound is ``None``."""

    key: SeriesKey
    sink: CandleSink
    start: datetime | None = None
    stop: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    key: SeriesKey
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCandles(UseCase[ExportCandlesCommand, ExportReport]):
    """Write stored candles to a sink, in chunks."""

    permission: ClassVar[Permission] = Permission.MARKET_READ

    candles: CandleStore
    queries: TradingQueries

    async def handle(self, actor: Actor, command: ExportCandlesCommand) -> ExportReport:
        """Raises `SymbolNotFound`, `CandlesNotFound` for an empty range, `CandleFileNotWritable`."""
        await self.queries.get_symbol(command.key.symbol)
        if not len(await self.candles.between(command.key, start=command.start, stop=command.stop, limit=1)):
            raise CandlesNotFound(f"nothing is stored of {command.key} in this range: see what is with market symbols list")
        written = await command.sink.write(command.key, stored_chunks(self.candles, command.key, command.start, command.stop))
        return ExportReport(key=command.key, written=written)
