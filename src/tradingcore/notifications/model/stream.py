"""Topics and positions of the stream.

A topic has an epoch and gapless offsets from 1. An epoch changes when a log starts over; a client that holds (epoch, offset)
gets what it missed or is told that it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NewType

from tradingcore.kernel.authz import EventId, Permission, TraceId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, Timeframe, symbol_code
from tradingcore.notifications.errors import UnknownTopic

Topic = NewType("Topic", str)


class TopicClass(StrEnum):
    """``must``: never dropped, a slow reader is closed and resumes. ``latest``: the newest per key wins."""

    MUST = "must"
    LATEST = "latest"


TOPIC_CLASSES: Final[dict[str, TopicClass]] = {"signals": TopicClass.MUST, "candles": TopicClass.LATEST}
TOPIC_PERMISSIONS: Final[dict[str, Permission]] = {
    "signals": Permission.SIGNALS_REALTIME,
    "candles": Permission.MARKET_READ,
}
ALL_SIGNALS: Final = Topic("signals:*")


def parse_topic(text: str) -> Topic:
    """Return ``text`` as a topic: ``signals:BTC/USDT:1h``, ``signals:*``, ``candles:BTC/USDT:1h``. Raises `UnknownTopic`."""
    if text == ALL_SIGNALS:
        return ALL_SIGNALS
    kind, _, rest = text.partition(":")
    symbol, _, timeframe = rest.rpartition(":")
    try:
        symbol_code(symbol)
        Timeframe(timeframe)
    except (InvalidInput, ValueError):
        kind = ""
    if kind not in TOPIC_CLASSES:
        raise UnknownTopic(
            f"no such topic: {text[:80]!r}; topics are signals:<symbol>:<timeframe>, signals:* and candles:<symbol>:<timeframe>"
        )
    return Topic(text)


def topic_of(kind: str, key: SeriesKey) -> Topic:
    return Topic(f"{kind}:{key}")


def class_of(topic: Topic) -> TopicClass:
    return TOPIC_CLASSES[topic.partition(":")[0]]


def permission_for(topic: Topic) -> Permission:
    """What an actor needs to subscribe."""
    return TOPIC_PERMISSIONS[topic.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """After which entry of a topic a reader stands; offset 0 is before the first."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMessage:
    """Something to publish on a topic. ``event_id`` makes publishing idempotent; ``data`` is JSON."""

    topic: Topic
    event_id: EventId
    type: str
    at: datetime
    data: Mapping[str, Any]
    trace_id: TraceId


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEntry:
    """A published message with its place in the topic."""

    position: StreamPosition
    message: StreamMessage
