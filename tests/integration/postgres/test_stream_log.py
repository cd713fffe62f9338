from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import stream_log
from adapters.postgres.connect import connected
from adapters.postgres.roles import DatabaseRole
from adapters.postgres.stream_log import PostgresStreamLog
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.errors import PermissionDenied, Unavailable, WriteWhileReading
from tradingcore.notifications.ports import StreamLog
from tradingcore.testing.notifications import BITCOIN, StreamLogContract, a_message, offsets, take


@pytest.fixture
def log(database: TestDatabase, worker_engine: AsyncEngine) -> PostgresStreamLog:
    return PostgresStreamLog(worker_engine, database.address(DatabaseRole.WORKER), keep=timedelta(minutes=5))


class TestPostgresStreamLog(StreamLogContract):
    @pytest.fixture(autouse=True)
    def _database(self, database: TestDatabase) -> None:
        self.database = database

    async def _as_administrator(self, statement: str) -> None:
        async with connected(self.database.administrator) as connection:
            await connection.execute(statement)

    async def grow_old(self, log: StreamLog) -> None:
        await self._as_administrator("update public.stream_entries set published_at = published_at - interval '301 seconds'")

    async def start_over(self, log: StreamLog) -> StreamLog:
        await self._as_administrator("select public.stream_start_over()")
        return log


async def _terminate_followers(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'tradingcore-stream' and datname = current_database()"
        )


async def test_a_follower_whose_connection_broke_says_so_and_another_closes_the_gap(
    database: TestDatabase, log: PostgresStreamLog
) -> None:
    (before,) = await log.publish([a_message(1)])
    async with log.follow() as entries:
        await _terminate_followers(database)
        with pytest.raises(Unavailable):
            await take(entries, 1)
    await log.publish([a_message(2)])
    async with log.follow() as entries:
        assert offsets(await log.read(BITCOIN, after=before, limit=10)) == [2]
        await log.publish([a_message(3)])
        assert offsets(await take(entries, 1)) == [3]


async def test_pooled_connections_that_died_are_replaced(database: TestDatabase, log: PostgresStreamLog) -> None:
    await log.publish([a_message(1)])
    async with connected(database.administrator) as connection:
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tc_worker'")
    await asyncio.sleep(0.2)  # the end of a connection takes its way to whoever holds it
    (position,) = await log.publish([a_message(2)])
    assert position.offset == 2


async def test_a_silent_follower_is_probed(log: PostgresStreamLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_log, "PROBE_SECONDS", 0.05)
    async with log.follow() as entries:
        waiting = asyncio.create_task(take(entries, 1))
        await asyncio.sleep(0.3)
        await log.publish([a_message(1)])
        assert offsets(await waiting) == [1]


@pytest.fixture
def reader(database: TestDatabase, api_engine: AsyncEngine) -> PostgresStreamLog:
    return PostgresStreamLog(api_engine, database.address(DatabaseRole.API))


async def test_the_api_reads_and_follows_and_cannot_write(log: PostgresStreamLog, reader: PostgresStreamLog) -> None:
    async with reader.follow() as entries:
        (position,) = await log.publish([a_message(1)])
        assert offsets(await take(entries, 1)) == [1]
    assert await reader.head(BITCOIN) == position
    for write in (reader.publish([a_message(2)]), reader.trim()):
        with pytest.raises((PermissionDenied, WriteWhileReading)):
            await write


async def test_a_cancelled_publisher_leaves_no_gap(log: PostgresStreamLog) -> None:
    for number in range(60):
        publishing = asyncio.create_task(log.publish([a_message(number)]))
        await asyncio.sleep(0.0004 * (number % 8))
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    await log.publish([a_message(number) for number in range(60)])
    head = await log.head(BITCOIN)
    assert head.offset == 60
    assert offsets(await log.read(BITCOIN, after=type(head)(head.epoch, 0), limit=100)) == list(range(1, 61))
