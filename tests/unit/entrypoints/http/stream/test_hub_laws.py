"""Whatever happens in whatever order, each subscriber of a ``must`` topic gets each offset once, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import TypeAlias
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoints.http.stream import hub, subscription
from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import StreamClosed, StreamLimits
from tests.unit.entrypoints.http.stream.builders import FlakyLog, an_actor, checked
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

TURNS = st.integers(0, 6)
PUBLISHER = st.lists(st.tuples(st.integers(1, 9), TURNS), max_size=8)
SUBSCRIBER = st.lists(st.tuples(st.sampled_from(["receive", "reconnect", "pause"]), st.integers(1, 9)), max_size=12)
TROUBLE = st.lists(st.tuples(st.sampled_from(["lose", "find", "skip"]), st.integers(1, 9)), max_size=5)


Script: TypeAlias = Sequence[tuple[str, int]]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class SlowLog(FlakyLog):
    """Answers some turns of the loop after it looked, and now and then lets a follower miss an entry."""

    pace = random.Random(0)
    skips = 0

    async def head(self, topic: Topic) -> StreamPosition:
        await turns(self.pace.randrange(3))
        position = await super().head(topic)
        await turns(self.pace.randrange(5))
        return position

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        await turns(self.pace.randrange(3))
        entries = await super().read(topic, after=after, limit=limit)
        await turns(self.pace.randrange(5))
        return entries

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        async with super().follow() as entries:
            yield self._some(entries)

    async def _some(self, entries: AsyncIterator[StreamEntry]) -> AsyncIterator[StreamEntry]:
        async for entry in entries:
            if self.skips:
                self.skips -= 1
            else:
                yield entry


class Subscriber:
    """A client that keeps its position, reads when told to, and resumes. At first it starts where the topic stands."""

    def __init__(self, its_hub: Hub, number: int) -> None:
        self._hub = its_hub
        self._actor = an_actor(number=number)
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._position: StreamPosition | None = None
        self.offsets: list[int] = []
        self.first = 1

    async def connect(self) -> None:
        if self._connection is None:
            connection = self._stack.enter_context(self._hub.connect(self._actor))
            try:
                await connection.subscribe(BITCOIN, self._position, 1)
            except Unavailable:
                self.disconnect()
            else:
                self._connection = connection

    def disconnect(self) -> None:
        self._connection = None
        self._stack.close()

    async def receive(self, most: int) -> None:
        """Take at most ``most`` frames, those that come soon."""
        for _ in range(most):
            await self.connect()
            if self._connection is None:
                return
            try:
                async with asyncio.timeout(0.003):
                    self._take(checked((await self._connection.next()).text))
            except TimeoutError:
                return
            except StreamClosed:
                self.disconnect()

    def _take(self, frame: dict[str, object]) -> None:
        match frame:
            case {"op": "ack", "epoch": str(epoch), "offset": int(offset)}:
                if self._position is None:
                    self.first = offset + 1
                self._position = StreamPosition(epoch, offset)
            case {"op": "event", "offset": int(offset)}:
                assert self._position is not None
                self.offsets.append(offset)
                self._position = StreamPosition(self._position.epoch, offset)
            case _:
                assert frame["op"] == "notice"

    async def receive_until(self, last: int) -> None:
        async with asyncio.timeout(3):
            while self._position is None or self._position.offset < last:
                await self.receive(20)

    async def act(self, steps: Sequence[tuple[str, int]]) -> None:
        for step, count in steps:
            match step:
                case "receive":
                    await self.receive(count)
                case "reconnect":
                    self.disconnect()
                    await self.connect()
                case _:
                    await turns(count)


async def publish(log: SlowLog, steps: Sequence[tuple[int, int]]) -> int:
    number = 0
    for count, pause in steps:
        for _ in range(count):
            number += 1
            await log.publish([a_message(number), a_message(number, topic=EURO)])
        await turns(pause)
    return number


async def trouble(log: SlowLog, steps: Sequence[tuple[str, int]]) -> None:
    for step, count in steps:
        await turns(count)
        if step == "lose":
            log.lose()
        elif step == "find":
            log.is_away = False
        else:
            log.skips += 1


async def play(seed: int, publisher: Sequence[tuple[int, int]], scripts: Sequence[Script], troubles: Script) -> None:
    log = SlowLog(FakeClock(), SequentialIds())
    log.pace = random.Random(seed)
    a_hub = Hub(log, StreamLimits(queue_messages=7, catch_up_batch=3, send_seconds=0))
    async with a_hub.running():
        subscribers = [Subscriber(a_hub, number) for number in range(len(scripts))]
        published = asyncio.create_task(publish(log, publisher))
        acting = [subscriber.act(steps) for subscriber, steps in zip(subscribers, scripts, strict=True)]
        await asyncio.gather(published, trouble(log, troubles), *acting)
        log.is_away = False
        for subscriber in subscribers:
            await subscriber.receive(1)
        await asyncio.sleep(0.02 if troubles else 0)
        # A gap at the very end shows with the next entry.
        log.skips = 0
        last = published.result() + 1
        await log.publish([a_message(last)])
        for subscriber in subscribers:
            await subscriber.receive_until(last)
            assert subscriber.offsets == list(range(subscriber.first, last + 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), PUBLISHER, st.lists(SUBSCRIBER, min_size=1, max_size=3), st.just([]) | TROUBLE)
def test_every_interleaving_gives_each_offset_once_and_in_order(
    seed: int, publisher: list[tuple[int, int]], scripts: list[list[tuple[str, int]]], troubles: list[tuple[str, int]]
) -> None:
    with patch.object(hub, "FIRST_RETRY_SECONDS", 0.002), patch.object(subscription, "RETRY_SECONDS", 0.002):
        asyncio.run(play(seed, publisher, scripts, troubles))
