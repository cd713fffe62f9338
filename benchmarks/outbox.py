"""P11: from an appended event to its handler, one by one and in batches, against bare asyncpg transactions.

``python -m benchmarks.outbox [EVENTS]``. A PostgreSQL of its own, durable as in production, in a temporary folder. *One by one*:
eight writers append an event in a unit of work each; the relay hands every event to a reaction that records it in a unit of its
own. *In batches*: a hundred events a unit; a handler takes what is due in one transaction with a (handler, event id) row for each.
*Theirs* is one connection that commits a row in a transaction of its own, as often. The latency is taken at a hundred events per
second, from the end of the commit to the start of the handler.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine, transaction
from adapters.postgres.migrate import Migrator
from adapters.postgres.ml import PostgresMlUnits
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.roles import DatabaseRole, RolePasswords
from adapters.system.identifiers import Uuid7Generator
from benchmarks._measure import report
from entrypoints.relay import Relay
from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.ml.events import EVENTS, ForecastNotMade
from tradingcore.ml.model.forecast import ForecastFault
from tradingcore.testing.builders import HOUR, MONDAY, a_candle

EVENT_COUNT: Final = 500
RUNS: Final = 5
WRITERS: Final = 8
BATCH: Final = 100
ACTOR: Final = Actor.system(TraceId("0" * 32), name="benchmark")
RECORD: Final = text("insert into public.inbox (handler, event_id) select 'benchmark.batch', unnest(cast(:ids as uuid[]))")
PACE_SECONDS: Final = 0.01


def an_event(number: int) -> ForecastNotMade:
    """Every event has a key of its own among a hundred, as a hundred series would."""
    return ForecastNotMade(
        occurred_at=MONDAY + HOUR,
        symbol=SymbolCode(f"T{number % BATCH}/USD"),
        timeframe=Timeframe.H1,
        candle=a_candle(),
        source="benchmark",
        missing_candles=0,
        fault=ForecastFault.NOT_ENOUGH_HISTORY,
        detail=str(number),
    )


@dataclass
class Recording:
    """A reaction that does nothing but record that it was here."""

    name: ClassVar[str] = "benchmark.record"
    reacts_to: ClassVar[type[DomainEvent]] = ForecastNotMade
    units: PostgresMlUnits
    expected: int
    started: dict[str, float] = field(default_factory=dict)
    is_done: asyncio.Event = field(default_factory=asyncio.Event)

    async def react(self, actor: Actor, event: ForecastNotMade, recorded: RecordedEvent) -> None:
        self.started[event.detail] = perf_counter()
        async with self.units(actor):
            pass
        if len(self.started) == self.expected:
            self.is_done.set()


@dataclass(frozen=True)
class Bench:
    worker: AsyncEngine
    outbox: PostgresOutbox
    address: DatabaseAddress

    @property
    def units(self) -> PostgresMlUnits:
        return PostgresMlUnits(self.worker, EventCodec(EVENTS), Uuid7Generator())

    async def append(self, numbers: range) -> None:
        async with self.units(ACTOR) as unit:
            for number in numbers:
                await unit.forecasts.announce(an_event(number))

    async def one_by_one(self, count: int) -> float:
        recording = Recording(self.units, count)
        relay = Relay(self.outbox, [recording])
        running = asyncio.create_task(relay.run())
        numbers = iter(range(count))

        async def write() -> None:
            for number in numbers:
                await self.append(range(number, number + 1))

        begun = perf_counter()
        await asyncio.gather(*(write() for _ in range(WRITERS)))
        await recording.is_done.wait()
        took = perf_counter() - begun
        relay.stop()
        await running
        return took

    async def in_batches(self, count: int) -> float:
        begun = perf_counter()
        writing = asyncio.create_task(self._write_batches(count))
        handled = 0
        while handled < count:
            claimed = await self.outbox.claim(limit=2 * BATCH, lease=timedelta(seconds=30))
            if not claimed:
                await self.outbox.wait(timedelta(seconds=1))
                continue
            ids: list[UUID] = [one.recorded.id for one in claimed]
            async with transaction(self.worker, ACTOR) as connection:
                await connection.execute(RECORD, {"ids": ids})
            await self.outbox.settle(claimed)
            handled += len(claimed)
        await writing
        return perf_counter() - begun

    async def _write_batches(self, count: int) -> None:
        for start in range(0, count, BATCH):
            await self.append(range(start, min(count, start + BATCH)))

    async def bare(self, count: int) -> float:
        async with connected(self.address) as connection:
            begun = perf_counter()
            for _ in range(count):
                async with connection.transaction():
                    await connection.execute("insert into public.inbox (handler, event_id) values ('bare', gen_random_uuid())")
            return perf_counter() - begun

    async def latencies(self, count: int) -> list[float]:
        recording = Recording(self.units, count)
        relay = Relay(self.outbox, [recording])
        running = asyncio.create_task(relay.run())
        committed = {}
        for number in range(count):
            await self.append(range(number, number + 1))
            committed[str(number)] = perf_counter()
            await asyncio.sleep(PACE_SECONDS)
        await recording.is_done.wait()
        relay.stop()
        await running
        return [1_000 * max(0.0, recording.started[number] - at) for number, at in committed.items()]


async def measure(bench: Bench, count: int) -> None:
    packages = ["asyncpg", "sqlalchemy"]
    many = 10 * count
    await bench.one_by_one(count // 5)
    single = [(await bench.one_by_one(count), await bench.bare(count)) for _ in range(RUNS)]
    rate = round(count / median(ours for ours, _ in single))
    report("P11 outbox one by one", single, n=count, packages=packages, events_per_second=rate, must_be="400")
    batches = [(await bench.in_batches(many), await bench.bare(count) * 10) for _ in range(RUNS)]
    rate = round(many / median(ours for ours, _ in batches))
    report("P11 outbox in batches", batches, n=many, packages=packages, events_per_second=rate, must_be="2000")
    waits = await bench.latencies(count)
    centiles = quantiles(waits, n=100)
    print(
        f'{{"name": "P11 commit to handler", "p50_ms": {centiles[49]:.2f}, "p99_ms": {centiles[98]:.2f}, "n": {count}}}', flush=True
    )


async def run(administrator: DatabaseAddress, home: Path, count: int) -> None:
    migrator = Migrator(administrator, RolePasswords(home / "roles.json"))
    await migrator.up()
    worker = create_engine(migrator.address(DatabaseRole.WORKER), EngineSettings(application="benchmark", pool_size=24))
    system = create_engine(migrator.address(DatabaseRole.SYSTEM), EngineSettings(application="benchmark", pool_size=4))
    outbox = PostgresOutbox(system, EventCodec(EVENTS))
    try:
        await measure(Bench(worker, outbox, migrator.address(DatabaseRole.WORKER)), count)
    finally:
        await outbox.close()
        await worker.dispose()
        await system.dispose()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENT_COUNT
    home = Path(tempfile.mkdtemp(prefix="tradingcore-outbox-"))
    cluster = EmbeddedCluster(ClusterSettings(home=home))
    hold = cluster.acquire()
    try:
        asyncio.run(run(hold.administrator.in_database("benchmark"), home, count))
    finally:
        cluster.release(hold)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
