"""What waits to be sent to one client: bounded, and conflated where only the newest matters."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from entrypoints.http.stream.limits import CloseCode, StreamClosed
from entrypoints.http.stream.protocol import ServerFrame, encode_frame, event_of
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame as text, shared by every socket that it goes to. ``position`` is where a client stands once it has it."""

    op: str
    text: str
    size: int
    topic: Topic | None = None
    position: StreamPosition | None = None


def outgoing(frame: ServerFrame, *, topic: Topic | None = None, position: StreamPosition | None = None) -> Outgoing:
    encoded = encode_frame(frame)
    return Outgoing(str(frame.__struct_config__.tag), encoded.decode(), len(encoded), topic, position)


def outgoing_event(entry: StreamEntry) -> Outgoing:
    return outgoing(event_of(entry), topic=entry.message.topic, position=entry.position)


@dataclass(slots=True)
class _Cell:
    item: Outgoing


class SendQueue:
    """First in, first out, for one consumer. A put that breaks a bound closes the queue with 4410."""

    def __init__(self, *, messages: int, size: int) -> None:
        self._most_messages = messages
        self._most_bytes = size
        self._cells: deque[_Cell] = deque()
        self._newest: dict[Topic, _Cell] = {}
        self._bytes = 0
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._closed: StreamClosed | None = None

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def is_closed(self) -> bool:
        return self._closed is not None

    def put(self, item: Outgoing) -> None:
        """Add ``item`` behind everything else. Later `put_latest` calls of its topic stay behind it."""
        if item.topic is not None:
            self._newest.pop(item.topic, None)
        self._append(_Cell(item))

    def put_latest(self, item: Outgoing) -> None:
        """Add ``item``, or put it in the place of the one of its topic that still waits."""
        assert item.topic is not None
        if self._closed is not None:
            return
        waiting = self._newest.get(item.topic)
        if waiting is None:
            self._newest[item.topic] = cell = _Cell(item)
            self._append(cell)
        else:
            self._bytes += item.size - waiting.item.size
            waiting.item = item
            self._check()

    def _append(self, cell: _Cell) -> None:
        if self._closed is None:
            self._cells.append(cell)
            self._bytes += cell.item.size
            self._filled.set()
            self._check()

    def _check(self) -> None:
        if len(self._cells) > self._most_messages or self._bytes > self._most_bytes:
            self.close(CloseCode.SLOW_CONSUMER, "too slow: reconnect and resume from the last offset")
        elif not self.has_room:
            self._roomy.clear()

    @property
    def closed_for(self) -> CloseCode | None:
        return self._closed.code if self._closed else None

    @property
    def has_room(self) -> bool:
        """Whether it is at most half full."""
        return 2 * len(self._cells) <= self._most_messages and 2 * self._bytes <= self._most_bytes

    async def get(self) -> Outgoing:
        """Wait for the next item. Raises `StreamClosed` when the queue was closed."""
        while not self._cells:
            if self._closed is not None:
                raise self._closed
            self._filled.clear()
            await self._filled.wait()
        cell = self._cells.popleft()
        self._bytes -= cell.item.size
        topic = cell.item.topic
        if topic is not None and self._newest.get(topic) is cell:
            del self._newest[topic]
        if self.has_room:
            self._roomy.set()
        return cell.item

    async def wait_for_room(self) -> None:
        """Wait until `has_room`, or until it is closed."""
        await self._roomy.wait()

    def close(self, code: CloseCode, reason: str) -> None:
        """Drop what waits and refuse the rest. The first reason stays."""
        if self._closed is None:
            self._closed = StreamClosed(code, reason)
            self._cells.clear()
            self._newest.clear()
            self._bytes = 0
            self._filled.set()
            self._roomy.set()
