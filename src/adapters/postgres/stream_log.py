from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.connect import connected
from adapters.postgres.engine import fetch, translated
from adapters.postgres.errors import ServerUnavailable
from tradingcore.notifications.errors import HistoryGone
from tradingcore.notifications.model.message_text import message_from_text, message_to_text
from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic
from tradingcore.notifications.policies import require_history
from tradingcore.notifications.ports import StreamLog

CHANNEL: Final = "tradingcore_stream"
LONGEST_BACKLOG: Final = 10_000
PROBE_SECONDS: Final = 5.0
_LARGEST_OFFSET: Final = 2**63 - 1
_PUBLISH: Final = "select at_epoch, at_offset from public.stream_publish(cast($1 as json)) order by place"
_READ: Final = """
    select e.epoch, coalesce(t.last_offset, 0) as newest, s."offset", s.message
    from public.stream_epoch e
    left join public.stream_topics t on t.topic = $1
    left join lateral (
        select "offset", message from public.stream_entries
        where topic = $1 and "offset" > $2 order by "offset" limit $3
    ) s on true
    order by s."offset"
    """
_TRIM: Final = (
    "with gone as (delete from public.stream_entries where published_at < now() - cast($1 as interval) returning 1) "
    "select count(*) from gone"
)


class PostgresStreamLog(StreamLog):
    """The stream in the database itself. The role of ``engine`` decides: ``tc_worker`` publishes and trims, ``tc_api`` reads.

    Parameters
    ----------
    engine : for everything but following; each call is one statement and its own transaction.
    address : where followers connect, one connection each.
    keep : how long entries can be resumed from; 5 minutes at least where clients rely on it.
    """

    def __init__(self, engine: AsyncEngine, address: DatabaseAddress, *, keep: timedelta = timedelta(hours=1)) -> None:
        self._engine = engine
        self._address = address
        self._keep = keep

    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        if not messages:
            return []
        items = [{"topic": message.topic, "event": str(message.event_id), "text": message_to_text(message)} for message in messages]
        rows = await fetch(self._engine, _PUBLISH, json.dumps(items))
        return [StreamPosition(epoch, offset) for epoch, offset in rows]

    async def head(self, topic: Topic) -> StreamPosition:
        epoch, newest, _, _ = (await fetch(self._engine, _READ, topic, _LARGEST_OFFSET, 1))[0]
        return StreamPosition(epoch, newest)

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        start = min(max(after.offset, 0), _LARGEST_OFFSET)
        rows = await fetch(self._engine, _READ, topic, start, limit)
        epoch, newest, oldest, _ = rows[0]
        require_history(topic, after=after, head=StreamPosition(epoch, newest), oldest_kept=oldest)
        return [
            StreamEntry(position=StreamPosition(epoch, offset), message=message_from_text(topic, message))
            for _, _, offset, message in rows
            if offset is not None
        ]

    async def trim(self) -> int:
        return int((await fetch(self._engine, _TRIM, self._keep))[0][0])

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        arrivals: asyncio.Queue[str | None] = asyncio.Queue()

        def tell(_connection: Any, _process: int, _channel: str, announcement: str) -> None:
            if arrivals.qsize() < LONGEST_BACKLOG:
                arrivals.put_nowait(announcement)
            else:
                arrivals.put_nowait(None)

        async with connected(self._address, application="tradingcore-stream") as connection:
            connection.add_termination_listener(lambda _: arrivals.put_nowait(None))
            with translated():
                await connection.add_listener(CHANNEL, tell)
            yield self._entries(connection, arrivals)

    async def _entries(self, connection: Any, arrivals: asyncio.Queue[str | None]) -> AsyncIterator[StreamEntry]:
        while True:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    announcement = await arrivals.get()
            except TimeoutError:
                # A connection that died silently tells nobody.
                with translated():
                    await connection.execute("select 1", timeout=PROBE_SECONDS)
                continue
            if announcement is None:
                raise ServerUnavailable("the connection that follows the stream broke or fell behind: follow again")
            epoch, offset, topic, *message = announcement.split("\n", 3)
            position = StreamPosition(epoch, int(offset))
            if message:
                yield StreamEntry(position=position, message=message_from_text(Topic(topic), message[0]))
            else:
                for entry in await self._announced(Topic(topic), position):
                    yield entry

    async def _announced(self, topic: Topic, position: StreamPosition) -> Sequence[StreamEntry]:
        try:
            return await self.read(topic, after=StreamPosition(position.epoch, position.offset - 1), limit=1)
        except HistoryGone:
            return []  # trimmed meanwhile: readers find the gap when they read on
