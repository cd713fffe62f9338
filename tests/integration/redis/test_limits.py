from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from adapters.redis.limits import RedisAttemptLimiter, RedisRateLimiter
from tests.integration.redis.server import ValkeyServer
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter
from tradingcore.testing.limits import AttemptLimiterContract, RateLimiterContract, a_bucket, an_attempt_key


class TestRedisAttemptLimiter(AttemptLimiterContract):
    @pytest.fixture
    async def limiter(self, valkey: ValkeyServer) -> AsyncIterator[AttemptLimiter]:
        valkey.flush()
        limiter = RedisAttemptLimiter(valkey.url)
        yield limiter
        await limiter.aclose()

    async def pass_time(self, time: timedelta) -> None:
        await asyncio.sleep(time.total_seconds())


class TestRedisRateLimiter(RateLimiterContract):
    @pytest.fixture
    async def limiter(self, valkey: ValkeyServer) -> AsyncIterator[RateLimiter]:
        valkey.flush()
        limiter = RedisRateLimiter(valkey.url, self.QUOTA)
        yield limiter
        await limiter.aclose()

    async def pass_time(self, time: timedelta) -> None:
        await asyncio.sleep(time.total_seconds())


async def test_counters_share_one_slot_and_end_by_themselves(valkey: ValkeyServer) -> None:
    valkey.flush()
    limiter = RedisAttemptLimiter(valkey.url, namespace="here")
    await limiter.reserve([an_attempt_key(a_bucket("one")), an_attempt_key(a_bucket("two", window=timedelta(seconds=5)))])
    left = {key: await limiter._client.pttl(key) async for key in limiter._client.scan_iter()}
    await limiter.aclose()
    assert len(left) == 2
    assert all(key.startswith(b"{here:attempts}:") for key in left)
    assert sorted(milliseconds > 5_000 for milliseconds in left.values()) == [False, True]
