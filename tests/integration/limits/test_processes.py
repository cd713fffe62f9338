"""Limits over several processes are exact: not one more, not one fewer."""

from __future__ import annotations

from adapters.postgres.connect import connected
from adapters.postgres.roles import DatabaseRole
from tests.asvs import asvs
from tests.integration.limits.guessers import ATTEMPTS, QUOTA, guess
from tests.integration.postgres.server import TestDatabase
from tests.integration.redis.server import ValkeyServer


@asvs("2.4.1", "6.3.1", "15.4.1")
async def test_processes_that_guess_together_get_the_limit_of_one_with_redis(valkey: ValkeyServer) -> None:
    valkey.flush()
    assert await guess(valkey.url, processes=2, tries=120) == (ATTEMPTS, QUOTA.limit)


@asvs("6.3.1", "15.4.1")
async def test_processes_that_guess_together_get_the_limit_of_one_with_postgres(database: TestDatabase) -> None:
    granted, _ = await guess(database.address(DatabaseRole.API), processes=2, tries=120)
    assert granted == ATTEMPTS
    async with connected(database.administrator) as connection:
        counts = await connection.fetch("select cardinality(hits) as count from public.throttle_counters")
    # A refused attempt left nothing in the bucket that had room.
    assert [row["count"] for row in counts] == [ATTEMPTS, ATTEMPTS]
