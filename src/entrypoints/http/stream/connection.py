from __future__ import annotations

import asyncio

from entrypoints.http.stream.channels import Channel, Channels
from entrypoints.http.stream.limits import CloseCode
from entrypoints.http.stream.protocol import OperationId, ServerFrame
from entrypoints.http.stream.queue import Outgoing, SendQueue, outgoing
from entrypoints.http.stream.subscription import Subscription
from tradingcore.kernel.authz import Actor, authorize
from tradingcore.kernel.errors import Conflict, NotFound, RuleViolation
from tradingcore.notifications.model.stream import StreamPosition, Topic, parse_topic, permission_for


class Connection:
    """One client of the hub, whatever carries it: what it may see, what it follows and what waits to be sent to it."""

    def __init__(self, actor: Actor, channels: Channels, queue: SendQueue, *, most_subscriptions: int) -> None:
        self.actor = actor
        self._channels = channels
        self._queue = queue
        self._most_subscriptions = most_subscriptions
        self._subscriptions: dict[Topic, tuple[Channel, Subscription]] = {}
        self._turn = asyncio.Lock()

    async def next(self) -> Outgoing:
        """Wait for what is to be sent next. Raises `StreamClosed`."""
        return await self._queue.get()

    def send(self, frame: ServerFrame) -> None:
        self._queue.put(outgoing(frame))

    def put(self, item: Outgoing) -> None:
        self._queue.put(item)

    def close(self, code: CloseCode, reason: str) -> None:
        """Make `next` raise; what still waits is dropped."""
        self._queue.close(code, reason)

    def stop(self) -> None:
        """Follow nothing any more."""
        for topic in tuple(self._subscriptions):
            self._leave(topic)

    async def subscribe(self, name: str, since: StreamPosition | None, operation: OperationId) -> None:
        """Follow a topic: an `Ack` first, then what comes after ``since`` or, without it, what is published from now on.

        Raises `UnknownTopic`, `PermissionDenied`, `Conflict` (followed already), `RuleViolation` (too many) and `Unavailable`.
        """
        topic = parse_topic(name)
        authorize(self.actor, permission_for(topic))
        if topic in self._subscriptions:
            raise Conflict(f"{topic} is subscribed already on this stream")
        if len(self._subscriptions) >= self._most_subscriptions:
            raise RuleViolation(f"one stream follows at most {self._most_subscriptions} topics")
        channel = self._channels.open(topic)
        subscription = Subscription(channel, self._queue, self._turn)
        channel.listeners.add(subscription)
        self._subscriptions[topic] = (channel, subscription)
        try:
            await subscription.start(operation, since)
        except BaseException:
            self._leave(topic)
            raise

    def unsubscribe(self, name: str) -> None:
        """Raise `NotFound` for a topic that is not followed."""
        if Topic(name) not in self._subscriptions:
            raise NotFound(f"{name[:80]!r} is not subscribed on this stream")
        self._leave(Topic(name))

    def act_as(self, actor: Actor) -> list[Topic]:
        """Go on for ``actor``. Returns the topics that were left because ``actor`` may not see them."""
        self.actor = actor
        forbidden = [topic for topic in self._subscriptions if permission_for(topic) not in actor.permissions]
        for topic in forbidden:
            self._leave(topic)
        return forbidden

    def _leave(self, topic: Topic) -> None:
        channel, subscription = self._subscriptions.pop(topic)
        subscription.stop()
        self._channels.leave(channel, subscription)
