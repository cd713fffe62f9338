from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from entrypoints.http.stream.queue import Outgoing, outgoing_event
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic
from tradingcore.notifications.ports import StreamLog


class Listener(Protocol):
    """Who follows a channel."""

    def offer(self, item: Outgoing) -> None:
        """Take a live entry."""

    def catch_up(self) -> None:
        """Entries may have been missed: read them from the log."""


class Channel:
    """A topic that somebody listens to. ``arrivals`` counts what may have changed it: live entries and outages."""

    def __init__(self, topic: Topic, log: StreamLog, batch: int) -> None:
        self.topic = topic
        self.arrivals = 0
        self.listeners: set[Listener] = set()
        self._log = log
        self._batch = batch
        self._reads: dict[tuple[StreamPosition, int], asyncio.Task[Sequence[Outgoing]]] = {}

    async def head(self) -> StreamPosition:
        return await self._log.head(self.topic)

    async def read(self, after: StreamPosition) -> Sequence[Outgoing]:
        """Read a batch. Listeners that ask the same while nothing arrives share one read: after an outage all of them do."""
        key = (after, self.arrivals)
        task = self._reads.get(key)
        if task is None:
            self._reads[key] = task = asyncio.create_task(self._read(after))
            task.add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(task)

    async def _read(self, after: StreamPosition) -> Sequence[Outgoing]:
        return [outgoing_event(entry) for entry in await self._log.read(self.topic, after=after, limit=self._batch)]


class Channels:
    """The topics that somebody of this process listens to."""

    def __init__(self, log: StreamLog, batch: int) -> None:
        self._log = log
        self._batch = batch
        self._open: dict[Topic, Channel] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, topic: Topic) -> Channel:
        channel = self._open.get(topic)
        if channel is None:
            self._open[topic] = channel = Channel(topic, self._log, self._batch)
        return channel

    def leave(self, channel: Channel, listener: Listener) -> None:
        channel.listeners.discard(listener)
        if not channel.listeners:
            self._open.pop(channel.topic, None)

    def deliver(self, entry: StreamEntry) -> None:
        channel = self._open.get(entry.message.topic)
        if channel is not None:
            channel.arrivals += 1
            item = outgoing_event(entry)
            for listener in channel.listeners:
                listener.offer(item)

    def catch_up(self) -> None:
        """Let every listener look for what came while nobody followed the log."""
        for channel in self._open.values():
            channel.arrivals += 1
            for listener in channel.listeners:
                listener.catch_up()
