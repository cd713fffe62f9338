"""Events on several series, and handlers whose effect lies in the storage where it can be counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from adapters.memory.database import MemoryDatabase
from adapters.memory.outbox import MemoryOutbox
from adapters.memory.trading import MemoryTradingUnits
from entrypoints.relay import Relay
from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.processes.reaction import Reaction
from tradingcore.testing.builders import HOUR, MONDAY, a_live_series, a_symbol, an_actor, candles
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.events import CandleClosed

Gate = Callable[[str], Awaitable[None]]
LONG_ENOUGH = timedelta(seconds=90)
"""Longer than any lease and any delay."""


async def open_gate(place: str) -> None:
    """Lets others run, as every real handler does when it waits for a database."""
    await asyncio.sleep(0)


@dataclass(kw_only=True)
class Ledger(Reaction[CandleClosed]):
    """Writes the number of each candle into the row of its series, in one transaction. ``gate`` is passed on the way."""

    name: ClassVar[str] = "test.ledger"
    reacts_to: ClassVar[type[DomainEvent]] = CandleClosed
    units: MemoryTradingUnits
    gate: Gate = open_gate
    under_way: list[str] = field(default_factory=list)
    most_at_once: int = 0

    async def react(self, actor: Actor, event: CandleClosed, recorded: RecordedEvent) -> None:
        assert event.symbol not in self.under_way, "two events of one series at once"
        self.under_way.append(event.symbol)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        try:
            await self.gate("before")
            async with self.units(actor) as unit:
                row = await unit.symbols.get(event.symbol)
                await self.gate("inside")
                number = (event.candle.open_time - MONDAY) // HOUR
                await unit.symbols.save(replace(row, base=f"{row.base}{number} "))
            await self.gate("after")
        finally:
            self.under_way.remove(event.symbol)


class SecondLedger(Ledger):
    """The same into rows of its own, as another handler."""

    name: ClassVar[str] = "test.second_ledger"

    async def react(self, actor: Actor, event: CandleClosed, recorded: RecordedEvent) -> None:
        await super().react(actor, replace(event, symbol=SymbolCode(f"{event.symbol}2")), recorded)


@dataclass
class Relaying:
    series: int = 1
    events: int = 3
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.units = MemoryTradingUnits(self.database, SequentialIds())
        self.outbox = MemoryOutbox(self.database)
        self.ledger = Ledger(units=self.units)
        self.second = SecondLedger(units=self.units)
        self.keys = [SeriesKey(SymbolCode(f"T{number}/USD"), Timeframe.H1) for number in range(self.series)]

    async def filled(self) -> Relaying:
        """One event after the other per series, each in a transaction of its own."""
        for key in self.keys:
            async with self.units(an_actor()) as unit:
                await unit.symbols.save(a_symbol(key.symbol, base=""))
                await unit.symbols.save(a_symbol(f"{key.symbol}2", base=""))
                series = await unit.live_series.save(a_live_series(key))
            for candle in candles(self.events):
                async with self.units(an_actor()) as unit:
                    taken = series.closed(candle, source="test", received_at=candle.open_time + HOUR, missing_candles=0)
                    series = await unit.live_series.save(taken)
        return self

    def relay(self, *reactions: Reaction[CandleClosed], outbox: MemoryOutbox | None = None, concurrency: int = 16) -> Relay:
        return Relay(outbox or self.outbox, reactions or (self.ledger, self.second), concurrency=concurrency)

    def written(self) -> set[str]:
        """What the ledgers hold: one text when all rows agree."""
        return {row.base for row in self.database.symbols.rows.values()}

    @property
    def everything_once_in_order(self) -> set[str]:
        return {"".join(f"{number} " for number in range(self.events))}
