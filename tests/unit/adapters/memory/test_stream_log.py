from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory import stream_log
from adapters.memory.stream_log import MemoryStreamLog
from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.ports import Clock, IdGenerator
from tradingcore.notifications.ports import StreamLog
from tradingcore.testing.notifications import StreamLogContract, a_message, take


class HandClock(Clock):
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class RandomIds(IdGenerator):
    def new_id(self) -> UUID:
        return uuid4()

    def new_trace_id(self) -> TraceId:
        return TraceId(uuid4().hex)


class TestMemoryStreamLog(StreamLogContract):
    @pytest.fixture
    def log(self) -> StreamLog:
        self.clock = HandClock()
        return MemoryStreamLog(self.clock, RandomIds(), keep=timedelta(minutes=5))

    async def grow_old(self, log: StreamLog) -> None:
        self.clock.time += timedelta(minutes=5, seconds=1)

    async def start_over(self, log: StreamLog) -> StreamLog:
        return MemoryStreamLog(self.clock, RandomIds())


async def test_a_follower_that_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_log, "LONGEST_BACKLOG", 3)
    log = MemoryStreamLog(HandClock(), RandomIds())
    async with log.follow() as entries:
        await log.publish([a_message(number) for number in range(9)])
        assert len(await take(entries, 3)) == 3
        with pytest.raises(Unavailable):
            await take(entries, 1)
