"""API processes that share a Redis, as they are served: one limit for all of them, and what happens without it."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.asvs import asvs
from tests.integration.redis.server import ValkeyServer
from tests.integration.uvicorn.test_perimeter import serving

SYMBOLS = "/api/v1/trading/symbols"


async def _statuses(clients: list[httpx.AsyncClient], count: int) -> list[int]:
    return [(await clients[number % len(clients)].get(SYMBOLS)).status_code for number in range(count)]


@asvs("2.4.1", "16.5.2")
async def test_two_servers_have_one_limit_and_each_its_half_while_redis_is_away(tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path)
    valkey.start()
    limits = {"redis": valkey.url, "requests_per_minute": 6, "processes": 2}
    try:
        async with (
            serving(tmp_path / "one", limits=limits) as one,
            serving(tmp_path / "two", limits=limits) as two,
            one.client() as first,
            two.client() as second,
        ):
            assert await _statuses([first, second], 8) == [401] * 6 + [429] * 2
            valkey.kill()
            assert await _statuses([first, second], 8) == [401] * 6 + [429] * 2
            figures = (await first.get("/metrics")).text
    finally:
        valkey.kill()
    assert 'tradingcore_limits_is_degraded{limiter="requests"} 1.0' in figures
    assert 'tradingcore_limits_is_degraded{limiter="attempts"} 0.0' in figures
