from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.connect import connected
from adapters.postgres.engine import transaction
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.trading import PostgresTradingUnits
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC_1H, a_closed_candle, an_actor
from tradingcore.testing.fakes import SequentialIds
from tradingcore.trading.events import EVENTS

LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def outbox(system_engine: AsyncEngine) -> AsyncIterator[PostgresOutbox]:
    outbox = PostgresOutbox(system_engine, EventCodec(EVENTS))
    yield outbox
    await outbox.close()


async def announce(engine: AsyncEngine, key: SeriesKey = BTC_1H) -> None:
    units = PostgresTradingUnits(engine, EventCodec(EVENTS), SequentialIds(start=hash(key) % 2**40 * 2**20))
    async with units(an_actor()) as unit:
        await unit.live_series.save(a_closed_candle(key))


async def test_lost_listening_connection_is_replaced(
    outbox: PostgresOutbox, worker_engine: AsyncEngine, database: TestDatabase
) -> None:
    await outbox.wait(MINUTE)  # ends at once: listening begins
    async with connected(database.administrator) as administrator:
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%'"
        assert len(await administrator.fetch(ended)) == 1
    async with asyncio.timeout(20):
        await outbox.wait(MINUTE)  # the connection was lost
        await outbox.wait(MINUTE)  # there is another one
        waiting = asyncio.create_task(outbox.wait(MINUTE))
        await announce(worker_engine)
        await waiting


async def test_event_that_this_version_cannot_read_is_parked_and_holds_nobody_back(
    outbox: PostgresOutbox, worker_engine: AsyncEngine, database: TestDatabase
) -> None:
    await announce(worker_engine)
    await announce(worker_engine, SeriesKey(SymbolCode("AAPL"), Timeframe.H1))
    async with connected(database.administrator) as administrator:
        await administrator.execute("update public.outbox set type = 'trading.unheard_of' where ordering_key = 'BTC/USDT:1h'")
    (claimed,) = await outbox.claim(limit=10, lease=LEASE)
    assert claimed.recorded.event.ordering_key == "AAPL:1h"
    (parked,) = await outbox.list_parked(limit=10)
    assert "trading.unheard_of" in parked.error


async def test_events_of_one_key_are_numbered_in_the_order_of_their_commits(
    outbox: PostgresOutbox, worker_engine: AsyncEngine, system_engine: AsyncEngine
) -> None:
    """Whoever comes to the append second commits second, even when the first one takes its time."""
    units = PostgresTradingUnits(worker_engine, EventCodec(EVENTS), SequentialIds())
    actor = an_actor()
    async with transaction(worker_engine, actor) as slow:
        lock = "select pg_advisory_xact_lock(hashtextextended(:key, 7361003))"
        await slow.execute(text(lock), {"key": "BTC/USDT:1h"})

        async def append() -> None:
            async with units(actor) as unit:
                await unit.live_series.save(a_closed_candle())

        waiting = asyncio.create_task(append())
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    assert len(await outbox.claim(limit=10, lease=LEASE)) == 1
