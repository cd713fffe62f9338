"""Small candle files and stores for the tests, and a way to read files whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from adapters.market_data.files import open_candle_source
from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingUnits
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC_1H, MONDAY, a_symbol, an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.ports import RejectedRow

HEADER = "timestamp,open,high,low,close,volume"
DAILY = SeriesKey(SymbolCode("AAPL"), Timeframe.D1)


@dataclass
class Read:
    candles: list[Candle]
    rejected: list[RejectedRow]
    rows_read: int
    bytes_read: int

    @property
    def times(self) -> list[datetime]:
        return [candle.open_time for candle in self.candles]

    @property
    def reasons(self) -> dict[int, str]:
        return {row.line: row.reason for row in self.rejected}


async def read(path: Path, key: SeriesKey = BTC_1H, *, zone: str | None = None) -> Read:
    result = Read([], [], 0, 0)
    async for chunk in open_candle_source(path, zone=zone).chunks(key):
        result.candles.extend(chunk.candles)
        result.rejected.extend(chunk.rejected)
        result.rows_read += chunk.rows_read
        result.bytes_read += chunk.bytes_read
    return result


def a_row(hour: float = 0, prices: str = "10,12,9,11,5") -> str:
    at = MONDAY + timedelta(hours=hour)
    return f"{at:%Y-%m-%dT%H:%M:%SZ},{prices}"


def a_csv(folder: Path, rows: Sequence[str], *, header: str = HEADER, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def hourly(count: int, *, first: int = 0) -> list[str]:
    return [a_row(hour) for hour in range(first, first + count)]


async def chunks(*parts: CandleSeries) -> AsyncIterator[CandleSeries]:
    for part in parts:
        yield part


async def a_store(*series: CandleSeries) -> MemoryCandleStore:
    """A store that holds the given series."""
    database = MemoryDatabase(FakeClock())
    store = MemoryCandleStore(database)
    for part in series:
        async with MemoryTradingUnits(database, SequentialIds())(an_actor()) as unit:
            if await unit.symbols.find(part.key.symbol) is None:
                await unit.symbols.save(a_symbol(part.key.symbol))
        await store.merge(part.key, chunks(part), replace=False)
    return store
