from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from adapters.redis import scripts
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.model.message_text import message_from_text, message_to_text
from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic
from tradingcore.notifications.policies import require_history
from tradingcore.notifications.ports import StreamLog

COMMAND_TIMEOUT_SECONDS: Final = 0.2
CONNECT_TIMEOUT_SECONDS: Final = 0.5
BLOCK_MILLISECONDS: Final = 2_000
LIVE_MILLISECONDS: Final = 60_000
TRIM_BATCH: Final = 1_000
_LARGEST_OFFSET: Final = 2**53


class RedisStreamLog(StreamLog):
    """The stream in Redis 6.2 or newer, or Valkey: a stream per topic to resume from, and one of all topics to follow.

    The server must not evict keys (``maxmemory-policy noeviction``). Times are the server's.

    Parameters
    ----------
    url : ``redis://`` or ``rediss://`` address.
    keep : how long entries can be resumed from; 5 minutes at least where clients rely on it.
    namespace : separates logs that share a server.
    """

    def __init__(self, url: str, *, keep: timedelta = timedelta(hours=1), namespace: str = "tradingcore") -> None:
        self._url = url
        self._keep_milliseconds = keep // timedelta(milliseconds=1)
        self._prefix = f"{{{namespace}:stream}}"
        self._client = self._connect(timeout=COMMAND_TIMEOUT_SECONDS, retries=1)
        self._publish = self._client.register_script(scripts.PUBLISH)
        self._read = self._client.register_script(scripts.READ)
        self._trim = self._client.register_script(scripts.TRIM)

    def _connect(self, *, timeout: float, retries: int) -> Any:  # redis-py types each answer as a union of all protocols' answers
        return Redis.from_url(
            self._url,
            protocol=2,
            socket_timeout=timeout,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), retries),
        )

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    def _keys_of(self, topic: str) -> tuple[str, str]:
        return self._key(f"state:{topic}"), self._key(f"history:{topic}")

    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        if not messages:
            return []
        keys = [self._key("epoch"), self._key("live"), self._key("topics")]
        arguments: list[str | int] = [secrets.token_hex(4), LIVE_MILLISECONDS]
        for message in messages:
            keys += self._keys_of(message.topic)
            arguments += (message.topic, str(message.event_id), message_to_text(message))
        with _unavailable():
            epoch, offsets = await self._publish(keys=keys, args=arguments)
        return [StreamPosition(epoch.decode(), offset) for offset in offsets]

    async def _history(self, topic: Topic, after: int, limit: int) -> tuple[StreamPosition, list[tuple[bytes, list[bytes]]]]:
        keys = [self._key("epoch"), *self._keys_of(topic)]
        with _unavailable():
            epoch, newest, entries = await self._read(keys=keys, args=[secrets.token_hex(4), after, limit])
        return StreamPosition(epoch.decode(), newest), entries

    async def head(self, topic: Topic) -> StreamPosition:
        position, _ = await self._history(topic, 0, 0)
        return position

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        is_possible = 0 <= after.offset < _LARGEST_OFFSET
        head, rows = await self._history(topic, after.offset if is_possible else 0, limit)
        offsets = [int(key.partition(b"-")[0]) for key, _ in rows]
        require_history(topic, after=after, head=head, oldest_kept=offsets[0] if offsets else None)
        return [
            StreamEntry(position=StreamPosition(head.epoch, offset), message=message_from_text(topic, fields[5]))
            for offset, (_, fields) in zip(offsets, rows, strict=True)
        ]

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        client = self._connect(timeout=BLOCK_MILLISECONDS / 1000 + 1, retries=0)
        try:
            with _unavailable():
                newest = await client.xrevrange(self._key("live"), count=1)
            yield self._entries(client, newest[0][0] if newest else b"0-0")
        finally:
            await client.aclose()

    async def _entries(self, client: Any, last: bytes) -> AsyncIterator[StreamEntry]:
        # Not "$": between two reads it would skip what came meanwhile.
        while True:
            with _unavailable():
                reply = await client.xread({self._key("live"): last}, count=256, block=BLOCK_MILLISECONDS)
            for key, fields in reply[0][1] if reply else ():
                last = key
                topic = Topic(fields[b"topic"].decode())
                position = StreamPosition(fields[b"epoch"].decode(), int(fields[b"offset"]))
                yield StreamEntry(position=position, message=message_from_text(topic, fields[b"text"]))

    async def trim(self) -> int:
        dropped = 0
        with _unavailable():
            for topic in await self._client.smembers(self._key("topics")):
                count = TRIM_BATCH
                while count == TRIM_BATCH:
                    count = await self._trim(keys=self._keys_of(topic.decode()), args=[self._keep_milliseconds, TRIM_BATCH])
                    dropped += count
        return dropped

    async def aclose(self) -> None:
        """Close the connections that commands use; followers close their own."""
        await self._client.aclose()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"the stream log in Redis does not answer: {error}") from error
