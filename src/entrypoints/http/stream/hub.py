"""From the stream log to every client of this process: one follower, a bounded queue per client, no gap and no double."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from entrypoints.http.stream.channels import Channels
from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.faults import report
from entrypoints.http.stream.limits import CloseCode, StreamClosed, StreamLimits
from entrypoints.http.stream.protocol import Notice
from entrypoints.http.stream.queue import SendQueue, outgoing
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Unavailable
from tradingcore.notifications.ports import StreamLog

FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 5.0
ENTRIES_PER_TURN: Final = 32
_DEGRADED: Final = outgoing(Notice(code="degraded", detail="the stream log is away: events are late"))
_RESTORED: Final = outgoing(Notice(code="restored", detail="the stream log is back: what was missed follows, or a reset"))
log = structlog.get_logger("stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatus:
    """Figures for metrics. ``lost_log`` counts how often the log went away, ``slow_clients`` how many were closed with 4410."""

    is_degraded: bool
    connections: int
    topics: int
    waiting_messages: int
    waiting_bytes: int
    lost_log: int
    slow_clients: int


class Hub:
    """Keep it running (``async with hub.running()``) around the application, and call `drain` when the process is told to stop."""

    def __init__(self, stream_log: StreamLog, limits: StreamLimits = StreamLimits()) -> None:  # noqa: B008 - frozen
        self.limits = limits
        self._log = stream_log
        self._channels = Channels(stream_log, limits.catch_up_batch)
        self._connections: dict[Connection, SendQueue] = {}
        self._per_user: Counter[UUID | None] = Counter()
        self._is_degraded = False
        self._is_draining = False
        self._started = asyncio.Event()
        self._emptied = asyncio.Event()  # looked at while draining only, when nobody joins any more
        self._lost_log = 0
        self._slow_clients = 0

    def status(self) -> HubStatus:
        return HubStatus(
            is_degraded=self._is_degraded,
            connections=len(self._connections),
            topics=len(self._channels),
            waiting_messages=sum(map(len, self._connections.values())),
            waiting_bytes=sum(queue.size for queue in self._connections.values()),
            lost_log=self._lost_log,
            slow_clients=self._slow_clients,
        )

    def require_room(self, actor: Actor) -> None:
        """Raise what `connect` would."""
        if self._is_draining:
            raise self.restart()
        if self._per_user[_owner(actor)] >= self.limits.sockets_per_user:
            raise StreamClosed(CloseCode.TOO_MANY_SOCKETS, f"at most {self.limits.sockets_per_user} streams per user")

    @contextmanager
    def connect(self, actor: Actor) -> Iterator[Connection]:
        """Take a client in for as long as the context lasts. Raises `StreamClosed` when it has too many, or on shutdown."""
        self.require_room(actor)
        owner = _owner(actor)
        queue = SendQueue(messages=self.limits.queue_messages, size=self.limits.queue_bytes)
        connection = Connection(actor, self._channels, queue, most_subscriptions=self.limits.subscriptions)
        self._connections[connection] = queue
        self._per_user[owner] += 1
        if self._is_degraded:
            queue.put(_DEGRADED)
        try:
            yield connection
        finally:
            self._slow_clients += queue.closed_for is CloseCode.SLOW_CONSUMER
            connection.stop()
            del self._connections[connection]
            if not self._connections:
                self._emptied.set()
            self._per_user[owner] -= 1
            if not self._per_user[owner]:
                del self._per_user[owner]

    def restart(self) -> StreamClosed:
        """Why a client is sent away for a moment; the delay is random, so that not all come back at once."""
        delay = round(random.uniform(0.1, 1) * self.limits.reconnect_seconds * 1000)  # noqa: S311 - spreads load
        return StreamClosed(CloseCode.RESTART, f"restart, reconnect_after_ms={delay}")

    async def drain(self) -> None:
        """Send every client away with 1012 and take no new ones. Call it before the server closes sockets itself."""
        self._is_draining = True
        if not self._connections:
            return
        self._emptied.clear()
        for connection in self._connections:
            closed = self.restart()
            connection.close(closed.code, closed.reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self.limits.send_seconds):
                await self._emptied.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the log for as long as the context lasts; it is entered when the log answered, or did not."""
        follower = asyncio.create_task(self._follow_forever())
        try:
            await self._started.wait()
            yield
        finally:
            await self.drain()
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower

    async def _follow_forever(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while True:
            try:
                async with self._log.follow() as entries:
                    delay = FIRST_RETRY_SECONDS
                    self._restored()
                    turn = 0
                    async for entry in entries:
                        self._channels.deliver(entry)
                        turn = (turn + 1) % ENTRIES_PER_TURN
                        if turn == 0:
                            # A burst must not fill queues before their senders had a turn.
                            await asyncio.sleep(0)
            except Unavailable as error:
                self._degraded(str(error))
            except Exception as error:  # noqa: BLE001 - clients keep their sockets, and the next attempt may do better
                report("stream_follower_failed", error)
                self._degraded("internal error")
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            delay = min(2 * delay, LONGEST_RETRY_SECONDS)

    def _degraded(self, reason: str) -> None:
        self._started.set()
        if not self._is_degraded:
            self._is_degraded = True
            self._lost_log += 1
            log.warning("stream_log_lost", reason=reason)
            for queue in self._connections.values():
                queue.put(_DEGRADED)

    def _restored(self) -> None:
        self._started.set()
        if self._is_degraded:
            self._is_degraded = False
            log.info("stream_log_restored")
            for queue in self._connections.values():
                queue.put(_RESTORED)
        self._channels.catch_up()


def _owner(actor: Actor) -> UUID | None:
    return actor.user_id or actor.credential_id
