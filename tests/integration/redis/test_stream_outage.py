"""What clients see when Redis goes away under the hub: their sockets stay, and nothing is lost in silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from adapters.redis.stream_log import RedisStreamLog
from tests.integration.redis.server import ValkeyServer
from tests.integration.uvicorn.server import Client, a_server
from tradingcore.kernel.errors import Unavailable
from tradingcore.testing.notifications import BITCOIN, a_message


@pytest.fixture
async def own_valkey(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    server.start()
    yield server
    server.kill()


async def _is_told(client: Client, code: str) -> None:
    frame = await client.receive()
    assert (frame["op"], frame["code"]) == ("notice", code)


async def test_cut_connections_cost_nobody_an_event(own_valkey: ValkeyServer) -> None:
    log = RedisStreamLog(own_valkey.url)
    async with a_server(log) as server, server.client() as client:
        await client.subscribe(BITCOIN)
        await log.publish([a_message(1)])
        assert await client.offsets(1) == [1]
        with redis.Redis(port=own_valkey.port) as administrator:
            administrator.client_kill_filter(_type="normal", skipme=True)
            await log.publish([a_message(number) for number in range(2, 300)])
        await _is_told(client, "degraded")
        await _is_told(client, "restored")
        assert await client.offsets(298) == list(range(2, 300))
        await log.publish([a_message(300)])
        assert await client.offsets(1) == [300]
    await log.aclose()


async def test_a_server_killed_and_started_again_resets_its_clients_and_goes_on(own_valkey: ValkeyServer) -> None:
    log = RedisStreamLog(own_valkey.url)
    async with a_server(log) as server, server.client() as client:
        before = await client.subscribe(BITCOIN)
        await log.publish([a_message(1)])
        assert await client.offsets(1) == [1]
        own_valkey.kill()
        await _is_told(client, "degraded")
        assert (await client.subscribe("candles:BTC/USDT:1h"))["status"] == 503
        with pytest.raises(Unavailable):
            await log.publish([a_message(2)])
        own_valkey.start()
        await _is_told(client, "restored")
        reset = await client.receive()
        assert (reset["op"], reset["reason"], reset["offset"]) == ("reset", "epoch_changed", 0)
        assert reset["epoch"] != before["epoch"]
        await log.publish([a_message(2), a_message(3)])
        assert await client.offsets(2) == [1, 2]
        async with server.client("trader-2") as other:
            assert (await other.subscribe(BITCOIN, since=(reset["epoch"], 1)))["recovered"] is True
            assert await other.offsets(1) == [2]
    await log.aclose()
