from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.memory import stream_log
from adapters.memory.stream_log import MemoryStreamLog
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.ports import StreamLog
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.notifications import StreamLogContract, a_message, take


class TestMemoryStreamLog(StreamLogContract):
    @pytest.fixture
    def log(self) -> StreamLog:
        self.clock, self.ids = FakeClock(), SequentialIds()
        return MemoryStreamLog(self.clock, self.ids, keep=timedelta(minutes=5))

    async def grow_old(self, log: StreamLog) -> None:
        self.clock.advance(timedelta(minutes=5, seconds=1))

    async def start_over(self, log: StreamLog) -> StreamLog:
        return MemoryStreamLog(self.clock, self.ids)


async def test_a_follower_that_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_log, "LONGEST_BACKLOG", 3)
    log = MemoryStreamLog(FakeClock(), SequentialIds())
    async with log.follow() as entries:
        await log.publish([a_message(number) for number in range(9)])
        assert len(await take(entries, 3)) == 3
        with pytest.raises(Unavailable):
            await take(entries, 1)
