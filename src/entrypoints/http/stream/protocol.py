"""Every frame of ``tradingcore.v1``, the WebSocket subprotocol: the one source of the code and of the AsyncAPI document."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tradingcore.auth.model.access_token import LONGEST_TOKEN
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition

SUBPROTOCOL: Final = "tradingcore.v1"

OperationId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)] | Annotated[int, Meta(ge=0, le=2**53)]
Offset: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
TopicName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80)]


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """The position after the last event that the client has handled."""

    epoch: Annotated[str, Meta(min_length=1, max_length=64)]
    offset: Offset

    def position(self) -> StreamPosition:
        return StreamPosition(self.epoch, self.offset)


class TopicRequest(Struct, frozen=True, forbid_unknown_fields=True):
    topic: TopicName
    since: Since | UnsetType = UNSET


class Auth(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="auth"):
    """The first frame, within 5 s, with a ``ticket``; later, to carry on with another credential of the same user.

    Carrying on takes a ticket or a fresh access token as ``token``: one of both. The stream ends with the credential.
    """

    ticket: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    token: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOKEN)] | UnsetType = UNSET
    id: OperationId | UnsetType = UNSET


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="subscribe"):
    """Answered topic by topic with `Ack` or `Error`. With ``since``, what was missed comes first."""

    id: OperationId
    topics: Annotated[list[TopicRequest], Meta(min_length=1, max_length=64)]


class Unsubscribe(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="unsubscribe"):
    """Answered topic by topic. Events that were on their way may still come before the `Ack`."""

    id: OperationId
    topics: Annotated[list[TopicName], Meta(min_length=1, max_length=64)]


class Pong(Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag="pong"):
    """The answer to `Ping`. A client that sends nothing for 45 s is closed."""


class Ack(Struct, frozen=True, tag_field="op", tag="ack"):
    """An operation was done.

    After ``subscribe`` the events that follow are those after (``epoch``, ``offset``): the client's own position when it was
    ``recovered``, else the newest. After ``unsubscribe`` only ``id`` and ``topic`` are set, after ``auth`` at most ``id``.
    """

    id: OperationId | UnsetType = UNSET
    topic: TopicName | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    offset: Offset | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET


class Event(Struct, frozen=True, tag_field="op", tag="event"):
    """Something that was published. Offsets of a topic grow; they have no gaps where the class of the topic is ``must``."""

    topic: TopicName
    offset: Offset
    ts: datetime
    type: str
    data: dict[str, Any]


class Reset(Struct, frozen=True, tag_field="op", tag="reset"):
    """History is gone: fetch the state by HTTP. The events that follow are those after (``epoch``, ``offset``)."""

    topic: TopicName
    reason: Literal["epoch_changed", "unknown_offset", "trimmed"]
    epoch: str
    offset: Offset


class Ping(Struct, frozen=True, tag_field="op", tag="ping"):
    """Sent every 15 s. Answer with `Pong`."""


class Notice(Struct, frozen=True, tag_field="op", tag="notice"):
    """``degraded``: the log is away, events are late. ``restored``: it is back, and what was missed follows."""

    code: Literal["degraded", "restored"]
    detail: str


class Close(Struct, frozen=True, tag_field="op", tag="close"):
    """The last event of a Server-Sent Events stream: the close code and reason that a WebSocket would get."""

    code: int
    reason: str


class Error(Struct, frozen=True, tag_field="op", tag="error"):
    """A problem object (RFC 9457) with the operation's ``id`` and, where one topic failed, its name. The socket stays open."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: str
    id: OperationId | UnsetType = UNSET
    topic: str | UnsetType = UNSET


ClientFrame: TypeAlias = Auth | Subscribe | Unsubscribe | Pong
ServerFrame: TypeAlias = Ack | Event | Reset | Ping | Notice | Error | Close
CLIENT_FRAMES: Final = (Auth, Subscribe, Unsubscribe, Pong)
SOCKET_FRAMES: Final = (Ack, Event, Reset, Ping, Notice, Error)
EVENT_FRAMES: Final = (Ack, Event, Reset, Notice, Close)

decode_client_frame: Final[Callable[[bytes], ClientFrame]] = msgspec.json.Decoder(ClientFrame).decode
encode_frame: Final = msgspec.json.Encoder().encode


def event_of(entry: StreamEntry) -> Event:
    message = entry.message
    return Event(
        topic=message.topic,
        offset=entry.position.offset,
        ts=message.at,
        type=message.type,
        data=dict(message.data),
    )
