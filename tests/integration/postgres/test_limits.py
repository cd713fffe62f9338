from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from asyncpg import InsufficientPrivilegeError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.connect import connected
from adapters.postgres.limits import PostgresAttemptLimiter
from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.ports import AttemptLimiter
from tradingcore.testing.limits import AttemptLimiterContract, a_bucket, an_attempt_key


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute("truncate public.throttle_counters")
    return shared_database


class TestPostgresAttemptLimiter(AttemptLimiterContract):
    @pytest.fixture
    def limiter(self, api_engine: AsyncEngine) -> AttemptLimiter:
        return PostgresAttemptLimiter(api_engine)

    async def pass_time(self, time: timedelta) -> None:
        await asyncio.sleep(time.total_seconds())


@pytest.fixture
async def administrator(database: TestDatabase) -> AsyncIterator[Any]:
    async with connected(database.administrator) as connection:
        yield connection


async def test_what_has_expired_is_swept_by_whoever_comes_next(administrator: Any, api_engine: AsyncEngine) -> None:
    limiter = PostgresAttemptLimiter(api_engine)
    for number in range(20):
        await limiter.reserve([an_attempt_key(a_bucket(window=timedelta(milliseconds=1)), str(number))])
    await asyncio.sleep(0.05)
    for _ in range(3):
        await limiter.reserve([an_attempt_key()])
    assert await administrator.fetchval("select count(*) from public.throttle_counters") == 1


async def test_nobody_sees_a_counter_without_its_key(database: TestDatabase, api_engine: AsyncEngine) -> None:
    mine, other = an_attempt_key(subject="mine"), an_attempt_key(subject="other")
    limiter = PostgresAttemptLimiter(api_engine)
    await limiter.reserve([mine])
    await limiter.reserve([other])
    async with connected(database.address(DatabaseRole.API)) as connection:
        await connection.execute("set default_transaction_read_only = off")
        assert await connection.fetch("select * from public.throttle_counters") == []
        assert await connection.execute("update public.throttle_counters set hits = '{}'") == "UPDATE 0"
        assert await connection.execute("delete from public.throttle_counters") == "DELETE 0"
        async with connection.transaction():
            await connection.execute("select set_config('app.throttle_keys', $1, true)", mine.subject.hex())
            (row,) = await connection.fetch("select key from public.throttle_counters")
            assert row["key"] == mine.subject
        with pytest.raises(InsufficientPrivilegeError):
            await connection.execute(
                "insert into public.throttle_counters values ($1, '{}', now() + interval '1 day')", b"\x00" * 32
            )
