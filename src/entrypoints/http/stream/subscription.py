from __future__ import annotations

import asyncio
from typing import Final, Literal, cast

from entrypoints.http.stream.channels import Channel, Listener
from entrypoints.http.stream.faults import report
from entrypoints.http.stream.limits import CloseCode
from entrypoints.http.stream.protocol import Ack, OperationId, Reset
from entrypoints.http.stream.queue import Outgoing, SendQueue, outgoing
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.errors import HistoryGone
from tradingcore.notifications.model.stream import StreamPosition, TopicClass, class_of

RETRY_SECONDS: Final = 0.5


class Subscription(Listener):
    """Where one client stands in one topic: every entry after its position once, in order, from the log or live.

    Live entries are passed on as they come. Whenever one may be missing, the log is read until nothing is.
    """

    def __init__(self, channel: Channel, queue: SendQueue, turn: asyncio.Lock) -> None:
        self.topic = channel.topic
        self._channel = channel
        self._queue = queue
        self._turn = turn
        self._put = queue.put_latest if class_of(channel.topic) is TopicClass.LATEST else queue.put
        self._position: StreamPosition | None = None
        self._is_live = False
        self._catching_up: asyncio.Task[None] | None = None

    async def start(self, operation: OperationId, since: StreamPosition | None) -> None:
        """Acknowledge and begin. Raises `Unavailable`, and then nothing was acknowledged."""
        before = self._channel.arrivals
        gone: HistoryGone | None = None
        is_behind = False
        if since is not None:
            try:
                is_behind = bool(await self._channel.read(since))
            except HistoryGone as error:
                gone = error
        position = since if since is not None and gone is None else await self._channel.head()
        is_recovered = position is since
        self._position = position
        self._queue.put(
            outgoing(
                Ack(id=operation, topic=self.topic, epoch=position.epoch, offset=position.offset, recovered=is_recovered),
                topic=self.topic,
                position=position,
            )
        )
        if gone is not None:
            self._reset(position, gone)
        if is_behind or before != self._channel.arrivals:
            self.catch_up()
        else:
            self._is_live = True

    def stop(self) -> None:
        self._is_live = False
        if self._catching_up is not None:
            self._catching_up.cancel()

    def offer(self, item: Outgoing) -> None:
        mine, its = self._position, item.position
        if not self._is_live or mine is None or its is None:
            return
        if its.epoch != mine.epoch or its.offset > mine.offset + 1:
            self.catch_up()
        elif its.offset == mine.offset + 1:
            self._pass_on(item)

    def catch_up(self) -> None:
        self._is_live = False
        if self._position is not None and self._catching_up is None:
            self._catching_up = asyncio.create_task(self._read_on())
            self._catching_up.add_done_callback(self._caught_up)

    def _caught_up(self, task: asyncio.Task[None]) -> None:
        self._catching_up = None
        if not task.cancelled() and (error := task.exception()) is not None:
            report("stream_catch_up_failed", error)
            self._queue.close(CloseCode.INTERNAL_ERROR, "internal error: reconnect and resume")

    async def _read_on(self) -> None:
        while not self._queue.is_closed:
            try:
                # In turn, so that a client that resumes many topics reads only what its queue can take.
                async with self._turn:
                    await self._queue.wait_for_room()
                    is_complete = await self._read_batch()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if is_complete:
                self._is_live = True
                return

    async def _read_batch(self) -> bool:
        """Whether nothing is missing any more. An entry that arrives during the read may not be in it; later ones are offered."""
        assert self._position is not None
        before = self._channel.arrivals
        try:
            items = await self._channel.read(self._position)
        except HistoryGone as gone:
            self._reset(await self._channel.head(), gone)
            return False
        for item in items:
            if not self._queue.has_room:
                return False
            self._pass_on(item)
        return not items and before == self._channel.arrivals

    def _pass_on(self, item: Outgoing) -> None:
        self._position = item.position
        self._put(item)

    def _reset(self, position: StreamPosition, gone: HistoryGone) -> None:
        self._position = position
        reason = cast("Literal['epoch_changed', 'unknown_offset', 'trimmed']", gone.reason)
        frame = Reset(topic=self.topic, reason=reason, epoch=position.epoch, offset=position.offset)
        self._queue.put(outgoing(frame, topic=self.topic, position=position))
