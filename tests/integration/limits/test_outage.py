"""Redis killed, emptied or silent: requests go on, attempts are still counted, and nobody waits long."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.bridges.limits import FallbackAttemptLimiter, FallbackRateLimiter
from adapters.memory.limits import MemoryRateLimiter
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.limits import PostgresAttemptLimiter
from adapters.postgres.roles import DatabaseRole
from adapters.redis.limits import RedisAttemptLimiter, RedisRateLimiter
from tests.asvs import asvs
from tests.integration.postgres.server import TestDatabase
from tests.integration.redis.server import ValkeyServer, free_port
from tradingcore.kernel.errors import TooManyAttempts, Unavailable
from tradingcore.kernel.limits import Quota
from tradingcore.testing.limits import a_bucket, an_attempt_key, reserve_or_not

QUOTA = Quota(limit=40, window_seconds=60)
PROCESSES = 4
KEY = an_attempt_key(a_bucket(limit=5))


@pytest.fixture
async def own_valkey(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def attempts(own_valkey: ValkeyServer, api_engine: AsyncEngine) -> AsyncIterator[FallbackAttemptLimiter]:
    shared = RedisAttemptLimiter(own_valkey.url)
    yield FallbackAttemptLimiter(shared, PostgresAttemptLimiter(api_engine))
    await shared.aclose()


@pytest.fixture
async def rates(own_valkey: ValkeyServer) -> AsyncIterator[FallbackRateLimiter]:
    shared = RedisRateLimiter(own_valkey.url, QUOTA)
    yield FallbackRateLimiter(shared, MemoryRateLimiter(QUOTA.shared_by(PROCESSES)))
    await shared.aclose()


def _pause(server: ValkeyServer, signal_number: int) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal_number)


async def _granted(limiter: FallbackAttemptLimiter, tries: int = 12) -> int:
    return sum([await reserve_or_not(limiter, KEY) is not None for _ in range(tries)])


@asvs("16.5.2", "6.3.1")
async def test_killed_redis_hands_attempts_to_postgres_and_takes_them_back(
    own_valkey: ValkeyServer, attempts: FallbackAttemptLimiter
) -> None:
    assert await _granted(attempts) == 5
    own_valkey.kill()
    assert await _granted(attempts) == 5
    assert attempts.is_degraded
    own_valkey.start()
    # The new server is empty: one more round, then the limit holds again.
    assert await _granted(attempts) == 5
    assert not attempts.is_degraded


async def test_silent_redis_costs_each_attempt_a_fifth_of_a_second(
    own_valkey: ValkeyServer, attempts: FallbackAttemptLimiter
) -> None:
    await attempts.reserve([KEY])
    _pause(own_valkey, signal.SIGSTOP)
    try:
        started = time.monotonic()
        await attempts.reserve([KEY])
        assert time.monotonic() - started < 1.0
        assert await _granted(attempts, 6) == 4
    finally:
        _pause(own_valkey, signal.SIGCONT)
    # What the silent server was asked it counted after all: too much, never too little.
    await asyncio.sleep(0.1)
    assert await _granted(attempts) <= 4


async def test_emptied_redis_gives_one_round_and_the_script_is_known_again(
    own_valkey: ValkeyServer, attempts: FallbackAttemptLimiter
) -> None:
    assert await _granted(attempts) == 5
    own_valkey.flush()
    assert await _granted(attempts) == 5
    assert not attempts.is_degraded


async def test_without_redis_and_postgres_nobody_may_try(own_valkey: ValkeyServer, database: TestDatabase) -> None:
    nowhere = replace(database.address(DatabaseRole.API), port=free_port())
    engine = create_engine(nowhere, EngineSettings(application="test", pool_size=1))
    shared = RedisAttemptLimiter(own_valkey.url)
    own_valkey.kill()
    with pytest.raises(Unavailable):
        await FallbackAttemptLimiter(shared, PostgresAttemptLimiter(engine)).reserve([KEY])
    await shared.aclose()


async def test_full_redis_counts_attempts_still_and_hands_over_requests(
    own_valkey: ValkeyServer, attempts: FallbackAttemptLimiter, rates: FallbackRateLimiter
) -> None:
    async with redis.asyncio.Redis(port=own_valkey.port, protocol=2) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1")
    assert await _granted(attempts) == 5
    assert (await rates.hit("a")).limit == QUOTA.limit // PROCESSES


@asvs("16.5.2")
@pytest.mark.parametrize("fault", ["kill", "stop"])
async def test_requests_go_on_without_redis_under_a_part_of_the_limit(
    own_valkey: ValkeyServer, rates: FallbackRateLimiter, fault: str
) -> None:
    assert (await rates.hit("a")).limit == QUOTA.limit
    if fault == "kill":
        own_valkey.kill()
    else:
        _pause(own_valkey, signal.SIGSTOP)
    started = time.monotonic()
    states = [await rates.hit("a") for _ in range(30)]
    assert time.monotonic() - started < 1.0
    assert [state.is_allowed for state in states].count(True) == QUOTA.limit // PROCESSES
    if fault == "kill":
        own_valkey.start()
    else:
        _pause(own_valkey, signal.SIGCONT)
    await asyncio.sleep(1.05)
    assert (await rates.hit("b")).limit == QUOTA.limit
    assert not rates.is_degraded


async def test_emptied_redis_forgets_requests_and_goes_on(own_valkey: ValkeyServer, rates: FallbackRateLimiter) -> None:
    for _ in range(50):
        await rates.hit("a")
    own_valkey.flush()
    assert (await rates.hit("a")).remaining == QUOTA.limit - 1
    assert not rates.is_degraded


async def test_a_refused_attempt_is_no_outage(attempts: FallbackAttemptLimiter) -> None:
    await _granted(attempts)
    with pytest.raises(TooManyAttempts):
        await attempts.reserve([KEY])
    assert not attempts.is_degraded
