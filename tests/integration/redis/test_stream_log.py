from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.redis.stream_log import RedisStreamLog
from tests.integration.redis.server import ValkeyServer
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.errors import HistoryGone
from tradingcore.notifications.ports import StreamLog
from tradingcore.testing.notifications import BITCOIN, StreamLogContract, a_message, take


class TestRedisStreamLog(StreamLogContract):
    @pytest.fixture
    async def log(self, valkey: ValkeyServer) -> AsyncIterator[StreamLog]:
        self.server = valkey
        valkey.flush()
        log = RedisStreamLog(valkey.url, keep=timedelta(seconds=1))
        yield log
        await log.aclose()

    async def grow_old(self, log: StreamLog) -> None:
        await asyncio.sleep(1.05)

    async def start_over(self, log: StreamLog) -> StreamLog:
        self.server.flush()
        return log


async def test_a_server_that_was_killed_and_started_again_is_another_epoch(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path)
    server.start()
    log = RedisStreamLog(server.url)
    try:
        (before,) = await log.publish([a_message(1)])
        async with log.follow() as entries:
            server.kill()
            with pytest.raises(Unavailable):
                await take(entries, 1)
        with pytest.raises(Unavailable):
            await log.publish([a_message(2)])
        with pytest.raises(Unavailable):
            async with log.follow():
                pass
        server.start()
        (after,) = await log.publish([a_message(2)])
        assert before.epoch != after.epoch
        with pytest.raises(HistoryGone):
            await log.read(BITCOIN, after=before, limit=1)
    finally:
        await log.aclose()
        server.kill()


async def test_all_keys_of_a_log_share_one_hash_tag(valkey: ValkeyServer) -> None:
    valkey.flush()
    log = RedisStreamLog(valkey.url, namespace="here")
    await log.publish([a_message(1)])
    async for key in log._client.scan_iter():
        assert key.startswith(b"{here:stream}:")
    await log.aclose()
