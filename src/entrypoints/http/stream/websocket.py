"""The WebSocket side: handshake, operations, heartbeat."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Final, TypeAlias

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from msgspec import UNSET, UnsetType

from entrypoints.http.identity import Authenticate, bearer
from entrypoints.http.problems import problem_of
from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.credentials import CredentialWatch, Redeem
from entrypoints.http.stream.faults import report
from entrypoints.http.stream.heartbeat import keep_alive
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import CloseCode, StreamClosed
from entrypoints.http.stream.protocol import (
    SUBPROTOCOL,
    Ack,
    Auth,
    ClientFrame,
    Error,
    OperationId,
    Pong,
    Subscribe,
    Unsubscribe,
    decode_client_frame,
)
from entrypoints.http.trace import call_of
from entrypoints.http.visits import TooManyRequests, visit_of
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import PermissionDenied, TradingCoreError, Unauthenticated, Unavailable

PATH: Final = "/api/v1/stream"
Socket: TypeAlias = "WebSocket[Any, Any, Any]"


class ClientGone(Exception):
    """The client closed its end."""


class SocketSession:
    """One socket from its first frame to its close."""

    def __init__(
        self, socket: Socket, hub: Hub, redeem_ticket: Redeem, authenticate_bearer: Authenticate, watch: CredentialWatch
    ) -> None:
        self._socket = socket
        self._authenticate_bearer = authenticate_bearer
        self._hub = hub
        self._limits = hub.limits
        self._redeem_ticket = redeem_ticket
        self._watch = watch
        self._now = asyncio.get_running_loop().time
        self._heard_at = self._now()
        self._recent: deque[float] = deque(maxlen=self._limits.frames_per_second)

    async def run(self) -> None:
        """Serve the socket until either side ends it. The socket must be accepted."""
        try:
            await self._serve()
        except* (ClientGone, WebSocketDisconnect):
            pass
        except* StreamClosed as group:
            closed = next(error for error in group.exceptions if isinstance(error, StreamClosed))
            await self._close(closed)
        except* Exception as group:  # noqa: BLE001 - a fault of ours ends this socket and no other
            report("stream_socket_failed", group.exceptions[0])
            await self._close(StreamClosed(CloseCode.INTERNAL_ERROR, "internal error: reconnect and resume"))

    async def _close(self, closed: StreamClosed) -> None:
        # A client that reads nothing would hold this up too.
        with suppress(OSError, WebSocketDisconnect):
            async with asyncio.timeout(self._limits.send_seconds):
                await self._socket.close(closed.code, closed.reason)

    async def _serve(self) -> None:
        actor, operation = await self._authenticate()
        with self._hub.connect(actor) as connection:
            connection.send(Ack(id=operation))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(connection))
                tasks.create_task(keep_alive(connection, self._watch, self._limits, heard_at=lambda: self._heard_at))
                # Receiving never stops: it is how the server tells that the socket or the process ends.
                while True:
                    await self._handle(connection, await self._receive())

    async def _authenticate(self) -> tuple[Actor, OperationId | UnsetType]:
        try:
            async with asyncio.timeout(self._limits.authentication_seconds):
                frame = await self._receive()
        except TimeoutError as error:
            raise StreamClosed(
                CloseCode.AUTHENTICATION_TIMEOUT, "the first frame, auth with a ticket, did not come in time"
            ) from error
        if not isinstance(frame, Auth) or frame.ticket is UNSET:
            raise StreamClosed(CloseCode.UNAUTHENTICATED, "the first frame must be auth with a ticket")
        return await self._actor_behind(frame), frame.id

    async def _actor_behind(self, frame: Auth) -> Actor:
        scope, trace_id = self._socket.scope, call_of(self._socket.scope).trace_id
        try:
            if frame.ticket is not UNSET and frame.token is UNSET:
                return await self._redeem_ticket(frame.ticket, trace_id)
            if frame.token is not UNSET and frame.ticket is UNSET:
                return await self._authenticate_bearer(bearer(scope, frame.token), trace_id)
        except Unauthenticated as error:
            what = "ticket is not valid: it works once, for 30 s" if frame.token is UNSET else "access token is not valid"
            raise StreamClosed(CloseCode.UNAUTHENTICATED, f"the {what}") from error
        except Unavailable as error:
            raise self._hub.restart() from error
        raise StreamClosed(CloseCode.BAD_FRAME, "auth takes a ticket or a token, one of both")

    async def _receive(self) -> ClientFrame:
        message = await self._socket.receive()
        if message["type"] != "websocket.receive":
            raise ClientGone
        self._heard_at = now = self._now()
        if len(self._recent) == self._limits.frames_per_second and now - self._recent[0] < 1:
            raise StreamClosed(CloseCode.TOO_MANY_FRAMES, f"at most {self._limits.frames_per_second} frames per second")
        self._recent.append(now)
        text = message.get("text")
        if not isinstance(text, str):
            raise StreamClosed(CloseCode.BAD_FRAME, "frames are JSON text, this one is binary")
        data = text.encode()
        if len(data) > self._limits.frame_bytes:
            raise StreamClosed(CloseCode.BAD_FRAME, f"a frame has at most {self._limits.frame_bytes} bytes")
        try:
            return decode_client_frame(data)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise StreamClosed(CloseCode.BAD_FRAME, _short(f"bad frame: {error}")) from error

    async def _handle(self, connection: Connection, frame: ClientFrame) -> None:
        if isinstance(frame, Pong):
            return
        try:
            await visit_of(self._socket.scope).count(connection.actor)
        except TooManyRequests as error:
            self._refuse(connection, error, frame.id)
            return
        match frame:
            case Subscribe():
                for request in frame.topics:
                    since = None if request.since is UNSET else request.since.position()
                    try:
                        await connection.subscribe(request.topic, since, frame.id)
                    except TradingCoreError as error:
                        self._refuse(connection, error, frame.id, request.topic)
            case Unsubscribe():
                for topic in frame.topics:
                    try:
                        connection.unsubscribe(topic)
                        connection.send(Ack(id=frame.id, topic=topic))
                    except TradingCoreError as error:
                        self._refuse(connection, error, frame.id, topic)
            case Auth():
                await self._authenticate_again(connection, frame)

    async def _authenticate_again(self, connection: Connection, frame: Auth) -> None:
        actor = await self._actor_behind(frame)
        if actor.user_id != connection.actor.user_id:
            raise StreamClosed(CloseCode.FORBIDDEN, "a stream stays with the user who opened it")
        left = connection.act_as(actor)
        connection.send(Ack(id=frame.id))
        for topic in left:
            self._refuse(connection, PermissionDenied(f"{actor.name} may not follow {topic} any more"), frame.id, topic)

    def _refuse(
        self, connection: Connection, error: TradingCoreError, operation: OperationId | UnsetType, topic: str | UnsetType = UNSET
    ) -> None:
        problem = problem_of(error, instance=connection.actor.trace_id)
        connection.send(
            Error(
                id=operation,
                topic=topic,
                type=problem.type,
                title=problem.title,
                status=problem.status,
                detail=problem.detail,
                code=problem.code,
            )
        )

    async def _send(self, connection: Connection) -> None:
        while True:
            item = await connection.next()
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._socket.send_data(item.text)
            except TimeoutError as error:
                raise StreamClosed(CloseCode.SLOW_CONSUMER, "a frame could not be sent in time: reconnect and resume") from error
            except (OSError, WebSocketDisconnect) as error:
                raise ClientGone from error


def _short(reason: str) -> str:
    """A close frame holds at most 123 bytes of reason."""
    return reason.encode()[:120].decode(errors="ignore")


def _is_own(origin: str, host: str) -> bool:
    # A proxy in front may end TLS, so the scheme is not compared. Nothing rides on this alone: a ticket comes first.
    scheme, _, named = origin.partition("://")
    return scheme in ("http", "https") and named != "" and named == host


def websocket_route(
    hub: Hub,
    *,
    redeem_ticket: Redeem,
    authenticate_bearer: Authenticate,
    watch: CredentialWatch,
    allowed_origins: frozenset[str],
) -> WebsocketRouteHandler:
    """The handler of ``/api/v1/stream``. A request without ``Origin`` is no browser's and passes; our own page does too."""

    @websocket(PATH)
    async def stream(socket: WebSocket[Any, Any, Any]) -> None:
        origin = socket.headers.get("origin")
        if origin is not None and origin not in allowed_origins and not _is_own(origin, socket.headers.get("host", "")):
            await socket.close(CloseCode.FORBIDDEN)
            return
        offers = SUBPROTOCOL in socket.scope["subprotocols"]
        await socket.accept(subprotocols=SUBPROTOCOL if offers else None)
        if offers:
            await SocketSession(socket, hub, redeem_ticket, authenticate_bearer, watch).run()
        else:
            await socket.close(CloseCode.BAD_FRAME, f"offer the subprotocol {SUBPROTOCOL}")

    return stream
