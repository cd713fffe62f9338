"""The trading context on memory storage, with a feed that a test fills."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.outbox import MemoryOutbox
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.market import Candle, SeriesKey
from tradingcore.testing.builders import BTC_1H, a_symbol, an_actor, candles
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.symbol import Symbol
from tradingcore.trading.ports import FeedCandle, MarketDataFeed
from tradingcore.trading.use_cases.close_candle import CloseCandle, CloseCandleCommand, CloseCandleResult
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandle


class FilledFeed(MarketDataFeed):
    """Has ``kept`` to fill gaps with and remembers what it was asked for. Answers in any order, a little too much."""

    def __init__(self, kept: Sequence[Candle] = ()) -> None:
        self.kept = list(kept)
        self.arrivals: list[FeedCandle] = []
        self.asked: list[tuple[datetime, datetime]] = []

    async def closed_candles(self) -> AsyncIterator[FeedCandle]:
        for arrival in self.arrivals:
            yield arrival

    async def backfill(self, key: SeriesKey, *, after: datetime, before: datetime) -> Sequence[Candle]:
        self.asked.append((after, before))
        return [candle for candle in reversed(self.kept) if after <= candle.open_time <= before]


@dataclass
class Trading:
    clock: FakeClock = field(default_factory=FakeClock)
    ids: SequentialIds = field(default_factory=SequentialIds)
    feed: FilledFeed = field(default_factory=FilledFeed)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(clock=self.clock)
        self.units = MemoryTradingUnits(self.database, self.ids)
        self.queries = MemoryTradingQueries(self.database)
        self.store = MemoryCandleStore(self.database)
        self.outbox = MemoryOutbox(self.database)
        self.close_candle = CloseCandle(uow=self.units)
        self.decide = DecideOnCandle(uow=self.units, ids=self.ids)

    async def with_symbol(self, symbol: Symbol | None = None) -> Trading:
        async with self.units(an_actor()) as unit:
            await unit.symbols.save(symbol or a_symbol())
        return self

    async def close(self, candle: Candle, *, key: SeriesKey = BTC_1H, received_at: datetime | None = None) -> CloseCandleResult:
        arrival = FeedCandle(
            key=key, candle=candle, received_at=received_at or key.timeframe.close_of(candle.open_time), source="test"
        )
        return await self.close_candle(an_actor(), CloseCandleCommand(arrival=arrival, feed=self.feed))

    async def series(self, key: SeriesKey = BTC_1H) -> LiveSeries:
        async with self.units(an_actor()) as unit:
            found = await unit.live_series.find(key)
        assert found is not None
        return found

    def events(self) -> list[DomainEvent]:
        """What was announced and not yet delivered, oldest first."""
        entries = [entry for queue in self.database.outbox.queues.values() for entry in queue]
        return [entry.recorded.event for entry in sorted(entries, key=lambda entry: entry.sequence)]


SIX = candles(6)
