from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from tradingcore.kernel.authz import EventId
from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.ports import Clock, IdGenerator
from tradingcore.notifications.model.message_text import message_from_text, message_to_text
from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic
from tradingcore.notifications.policies import require_history
from tradingcore.notifications.ports import StreamLog

LONGEST_BACKLOG: Final = 10_000


@dataclass(slots=True)
class _History:
    """One topic: what is kept, with the time of its arrival, and the places of the events that are kept."""

    newest: int = 0
    kept: deque[tuple[datetime, StreamEntry]] = field(default_factory=deque)
    offsets: dict[EventId, int] = field(default_factory=dict)


class MemoryStreamLog(StreamLog):
    """The stream of one process. A new object is a new epoch."""

    def __init__(self, clock: Clock, ids: IdGenerator, *, keep: timedelta = timedelta(hours=1)) -> None:
        self._clock = clock
        self._keep = keep
        self._epoch = ids.new_trace_id()
        self._topics: defaultdict[Topic, _History] = defaultdict(_History)
        self._followers: set[asyncio.Queue[StreamEntry | None]] = set()

    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        # Through text and back, so that what is not JSON fails here as it does in the logs that keep text.
        copies = [message_from_text(message.topic, message_to_text(message)) for message in messages]
        return [self._append(message) for message in copies]

    def _append(self, message: StreamMessage) -> StreamPosition:
        history = self._topics[message.topic]
        known = history.offsets.get(message.event_id)
        if known is not None:
            return StreamPosition(self._epoch, known)
        history.newest += 1
        history.offsets[message.event_id] = history.newest
        position = StreamPosition(self._epoch, history.newest)
        entry = StreamEntry(position=position, message=message)
        history.kept.append((self._clock.now(), entry))
        for follower in tuple(self._followers):
            self._tell(follower, entry)
        return position

    def _tell(self, follower: asyncio.Queue[StreamEntry | None], entry: StreamEntry) -> None:
        if follower.qsize() < LONGEST_BACKLOG:
            follower.put_nowait(entry)
        else:
            self._followers.discard(follower)
            follower.put_nowait(None)

    async def head(self, topic: Topic) -> StreamPosition:
        return StreamPosition(self._epoch, self._topics.get(topic, _History()).newest)

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        history = self._topics.get(topic, _History())
        oldest = history.kept[0][1].position.offset if history.kept else None
        require_history(topic, after=after, head=StreamPosition(self._epoch, history.newest), oldest_kept=oldest)
        skip = 0 if oldest is None else after.offset + 1 - oldest
        return [entry for _, entry in islice(history.kept, skip, skip + limit)]

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        arrivals: asyncio.Queue[StreamEntry | None] = asyncio.Queue()
        self._followers.add(arrivals)
        try:
            yield _entries(arrivals)
        finally:
            self._followers.discard(arrivals)

    async def trim(self) -> int:
        horizon = self._clock.now() - self._keep
        dropped = 0
        for history in self._topics.values():
            while history.kept and history.kept[0][0] < horizon:
                _, entry = history.kept.popleft()
                del history.offsets[entry.message.event_id]
                dropped += 1
        return dropped


async def _entries(arrivals: asyncio.Queue[StreamEntry | None]) -> AsyncIterator[StreamEntry]:
    while (entry := await arrivals.get()) is not None:
        yield entry
    raise Unavailable(f"the reader fell more than {LONGEST_BACKLOG} entries behind: follow again")
