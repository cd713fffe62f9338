"""The Server-Sent Events side, for clients that cannot open a WebSocket: the same hub, classes and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send
from msgspec import Meta

from entrypoints.http.identity import Authenticate, actor_of, bearer
from entrypoints.http.inputs import FromQuery
from entrypoints.http.stream.credentials import CredentialWatch, Redeem
from entrypoints.http.stream.faults import report
from entrypoints.http.stream.heartbeat import keep_alive
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import CloseCode, StreamClosed
from entrypoints.http.stream.positions import format_positions, parse_positions
from entrypoints.http.stream.protocol import Close
from entrypoints.http.stream.queue import Outgoing, outgoing
from entrypoints.http.trace import call_of
from entrypoints.http.visits import visit_of
from tradingcore.kernel.authz import Actor, authorize
from tradingcore.kernel.errors import InvalidInput, TooManyAttempts, Unauthenticated, Unavailable
from tradingcore.notifications.model.stream import StreamPosition, Topic, parse_topic, permission_for

PATH: Final = "/api/v1/events"
RETRY_MILLISECONDS: Final = 3_000
_DESCRIPTION: Final = (
    "The twin of the WebSocket stream, with the same frames, classes and limits. Each event is named after its `op` and carries "
    "the frame as JSON. The `id` of an event is the position in every topic, in the order of `topics`: `<epoch>:<offset>`, joined "
    "by commas; an item without an epoch has the epoch of the item before it. Send it back as `Last-Event-ID` to get what was "
    "missed, or a `reset`. The last event is `close` with a code and a reason."
)


class EventQuery(msgspec.Struct, kw_only=True):
    topics: Annotated[str, Meta(min_length=1, max_length=4096, description="topics, separated by commas")]
    ticket: Annotated[str, Meta(max_length=128, description="a stream ticket, for clients that can send no header")] | None = None
    last_event_id: (
        Annotated[str, Meta(max_length=4096, description="where to resume, for clients that cannot send Last-Event-ID")] | None
    ) = None


_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventStream(ASGIResponse):
    """A response that lasts until either side ends it."""

    _should_set_content_length = False

    def __init__(
        self, hub: Hub, actor: Actor, watch: CredentialWatch, topics: Sequence[Topic], since: Sequence[StreamPosition] | None
    ) -> None:
        super().__init__(media_type="text/event-stream", headers=_HEADERS)
        self._hub = hub
        self._actor = actor
        self._watch = watch
        self._since = dict(zip(topics, since, strict=True)) if since else {}
        self._positions: dict[Topic, StreamPosition | None] = {topic: self._since.get(topic) for topic in topics}

    async def send_body(self, send: Send, receive: Receive) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        events = asyncio.create_task(self._serve(send))
        try:
            await asyncio.wait((gone, events), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            events.cancel()
            for outcome in await asyncio.gather(gone, events, return_exceptions=True):
                if isinstance(outcome, Exception):
                    report("stream_events_failed", outcome)

    async def _serve(self, send: Send) -> None:
        try:
            await self._write(send, f"retry: {RETRY_MILLISECONDS}\n\n")
            with self._hub.connect(self._actor) as connection:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(keep_alive(connection, self._watch, self._hub.limits))
                    for topic in self._positions:
                        await connection.subscribe(topic, self._since.get(topic), topic)
                    while True:
                        await self._write(send, self._render(await connection.next()))
        except* StreamClosed as group:
            closed = next(error for error in group.exceptions if isinstance(error, StreamClosed))
            await self._end(send, Close(code=closed.code, reason=closed.reason))
        except* Unavailable:
            await self._end(send, Close(code=CloseCode.RESTART, reason="the stream log is away"))
        except* OSError:
            pass  # the client left, or took nothing for too long

    def _render(self, item: Outgoing) -> str:
        if item.op == "ping":
            return ": ping\n\n"
        if item.topic is not None:
            self._positions[item.topic] = item.position
        known = [position for position in self._positions.values() if position is not None]
        place = f"id: {format_positions(known)}\n" if len(known) == len(self._positions) else ""
        return f"{place}event: {item.op}\ndata: {item.text}\n\n"

    async def _write(self, send: Send, text: str) -> None:
        async with asyncio.timeout(self._hub.limits.send_seconds):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _end(self, send: Send, frame: Close) -> None:
        with suppress(OSError):
            await self._write(send, self._render(outgoing(frame)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def events_route(hub: Hub, *, authenticate_bearer: Authenticate, redeem_ticket: Redeem, watch: CredentialWatch) -> HTTPRouteHandler:
    """The handler of ``/api/v1/events``."""

    async def authenticate(request: Request[Any, Any, Any]) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        trace_id = call_of(request.scope).trace_id
        if scheme.lower() == "bearer" and token:
            request.scope["user"] = await authenticate_bearer(bearer(request.scope, token.strip()), trace_id)
        elif ticket := dict(parse_qsl(request.scope["query_string"].decode("latin-1"))).get("ticket"):
            request.scope["user"] = await redeem_ticket(ticket, trace_id)
        else:
            raise Unauthenticated(
                "this needs a credential: an access token or an API key as a bearer token, or ?ticket= with a stream ticket"
            )
        await visit_of(request.scope).count(request.scope["user"])

    @get(
        PATH,
        operation_id="streamEvents",
        summary="Follow topics as Server-Sent Events",
        description=_DESCRIPTION,
        tags=["stream"],
        media_type="text/event-stream",
        dependencies={"parameters": FromQuery(EventQuery)},
        before_request=authenticate,
    )
    async def events(request: Request[Any, Any, Any], parameters: NamedDependency[EventQuery]) -> EventStream:
        actor = actor_of(request)
        names = parameters.topics.split(",")
        if len(names) > hub.limits.subscriptions:
            raise InvalidInput(f"one stream follows at most {hub.limits.subscriptions} topics, were {len(names)}")
        wanted = [parse_topic(name) for name in names]
        if len(set(wanted)) < len(wanted):
            raise InvalidInput("a topic is named twice")
        for topic in wanted:
            authorize(actor, permission_for(topic))
        last = request.headers.get("last-event-id") or parameters.last_event_id
        since = parse_positions(last, count=len(wanted)) if last else None
        try:
            hub.require_room(actor)
        except StreamClosed as closed:
            raise TooManyAttempts(closed.reason, retry_after_seconds=hub.limits.reconnect_seconds) from closed
        return EventStream(hub, actor, watch, wanted, since)

    return events
