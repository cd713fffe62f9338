"""The moments in which an entry could fall between what was read and what comes live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from entrypoints.http.stream.hub import Hub
from tests.unit.entrypoints.http.stream.builders import FlakyLog, an_actor
from tests.unit.entrypoints.http.stream.test_hub import frame, offsets
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.notifications import BITCOIN, a_message


class HeldLog(FlakyLog):
    """Looks at once and, while it is held, keeps its answers back: a head, or a read that found nothing."""

    def __init__(self) -> None:
        super().__init__(FakeClock(), SequentialIds())
        self.released = asyncio.Event()
        self.released.set()
        self.skips = 0

    async def head(self, topic: Topic) -> StreamPosition:
        position = await super().head(topic)
        await self.released.wait()
        return position

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        entries = await super().read(topic, after=after, limit=limit)
        if not entries:
            await self.released.wait()
        return entries

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        async with super().follow() as entries:
            yield self._unskipped(entries)

    async def _unskipped(self, entries: AsyncIterator[StreamEntry]) -> AsyncIterator[StreamEntry]:
        async for entry in entries:
            if self.skips:
                self.skips -= 1
            else:
                yield entry


@pytest.fixture
def log() -> HeldLog:
    return HeldLog()


@pytest.fixture
async def hub(log: HeldLog) -> AsyncIterator[Hub]:
    hub = Hub(log)
    async with hub.running():
        yield hub


async def settle() -> None:
    await asyncio.sleep(0.02)


async def test_an_entry_that_the_follower_missed_is_read_when_the_next_one_comes(hub: Hub, log: HeldLog) -> None:
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, 1)
        await frame(connection)
        log.skips = 1
        await log.publish([a_message(1), a_message(2)])
        assert offsets([await frame(connection), await frame(connection)]) == [1, 2]


async def test_an_entry_published_while_the_head_is_looked_up_is_not_lost(hub: Hub, log: HeldLog) -> None:
    with hub.connect(an_actor()) as connection:
        log.released.clear()
        subscribing = asyncio.create_task(connection.subscribe(BITCOIN, None, 1))
        await settle()
        await log.publish([a_message(1)])
        await settle()
        log.released.set()
        await subscribing
        assert (await frame(connection))["offset"] == 0
        assert offsets([await frame(connection)]) == [1]


async def test_an_entry_published_during_the_last_read_of_a_catch_up_is_not_lost(hub: Hub, log: HeldLog) -> None:
    (first,) = await log.publish([a_message(1)])
    with hub.connect(an_actor()) as connection:
        log.released.clear()
        await connection.subscribe(BITCOIN, StreamPosition(first.epoch, 0), 1)
        await settle()
        await log.publish([a_message(2)])
        await settle()
        log.released.set()
        await frame(connection)
        assert offsets([await frame(connection), await frame(connection)]) == [1, 2]


async def test_a_read_that_began_before_an_entry_came_is_not_shared_with_who_asks_after_it(hub: Hub, log: HeldLog) -> None:
    (first,) = await log.publish([a_message(1)])
    with hub.connect(an_actor(number=1)) as early, hub.connect(an_actor(number=2)) as late:
        log.released.clear()
        await early.subscribe(BITCOIN, StreamPosition(first.epoch, 0), 1)
        await settle()
        await log.publish([a_message(2)])
        await settle()
        subscribing = asyncio.create_task(late.subscribe(BITCOIN, first, 1))
        await settle()
        log.released.set()
        await subscribing
        await frame(late)
        assert offsets([await frame(late)]) == [2]
