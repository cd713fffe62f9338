"""Whatever happens in whatever order, each subscriber of a ``must`` topic gets each offset once, in order."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.stream_log import MemoryStreamLog
from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import StreamClosed, StreamLimits
from tests.unit.entrypoints.http.stream.builders import an_actor, checked
from tests.unit.entrypoints.http.stream.test_hub import FlakyLog
from tradingcore.notifications.model.stream import StreamPosition
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 12)),
    st.tuples(st.just("receive"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["disconnect", "connect", "lose", "find", "turn"]), st.integers(0, 3)),
)


class Subscriber:
    """A client that keeps its position, reads when told to, and resumes."""

    def __init__(self, hub: Hub, start: StreamPosition) -> None:
        self._hub = hub
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._position = start
        self.offsets: list[int] = []

    async def connect(self) -> None:
        if self._connection is None:
            connection = self._stack.enter_context(self._hub.connect(an_actor()))
            await connection.subscribe(BITCOIN, self._position, 1)
            self._connection = connection

    def disconnect(self) -> None:
        self._connection = None
        self._stack.close()

    async def receive(self, most: int) -> None:
        """Take at most ``most`` frames, those that come soon."""
        for _ in range(most):
            if self._connection is None:
                return
            try:
                async with asyncio.timeout(0.002):
                    frame = checked((await self._connection.next()).text)
            except TimeoutError:
                return
            except StreamClosed:
                self.disconnect()
                return
            assert frame["op"] != "reset"
            if frame["op"] == "event":
                self.offsets.append(frame["offset"])
                self._position = StreamPosition(self._position.epoch, frame["offset"])


async def play(steps: list[tuple[str, int]]) -> None:
    log = FlakyLog(FakeClock(), SequentialIds())
    hub = Hub(log, StreamLimits(queue_messages=7, catch_up_batch=3))
    start = await MemoryStreamLog.head(log, BITCOIN)
    published = 0
    async with hub.running():
        subscribers = [Subscriber(hub, start), Subscriber(hub, start)]
        for number, (step, count) in enumerate(steps):
            subscriber = subscribers[number % 2]
            if step == "publish":
                for _ in range(count):
                    published += 1
                    await log.publish([a_message(published), a_message(published, topic=EURO)])
            elif step == "receive":
                await subscriber.receive(count)
            elif step == "disconnect":
                subscriber.disconnect()
            elif step == "lose":
                log.lose()
            elif step == "find":
                log.is_away = False
            elif step == "connect" and not log.is_away:
                await subscriber.connect()
            else:
                await asyncio.sleep(0.001 * count)
        log.is_away = False
        for subscriber in subscribers:
            async with asyncio.timeout(20):
                while len(subscriber.offsets) < published:
                    await subscriber.connect()
                    await subscriber.receive(20)
            assert subscriber.offsets == list(range(1, published + 1))
            subscriber.disconnect()


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_every_interleaving_gives_each_offset_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(steps))
