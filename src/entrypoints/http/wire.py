"""Below the application: what the server answers to bytes that are no HTTP request, and what it says of sockets."""

from __future__ import annotations

import asyncio
import logging
import secrets
from http import HTTPStatus
from typing import Any, Final

import h11
import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from entrypoints.http.edge import DEFAULT_HEADERS, LARGEST_HEAD
from entrypoints.http.problems import Refused, problem_headers, refusal

_DETAIL: Final = "these bytes are no HTTP/1.1 request, or their head is too large"


HEAD_SECONDS: Final = 10.0
"""How long the head of a request may take; uvicorn itself would wait for ever."""


MOST_PARTS: Final = 16_384
"""Pieces of one body. Each costs more than its bytes: a mebibyte in chunks of one would keep a core busy for ten seconds."""


class FrugalConnection(h11.Connection):
    """h11's connection, which gives up a body that comes in too many pieces."""

    _parts = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._parts = 0
        elif isinstance(event, h11.Data):
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise h11.RemoteProtocolError("the body comes in too many pieces")
        return event


class ProblemProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with its own answer turned into a problem that is as guarded as every other, and a deadline for heads."""

    head_seconds = HEAD_SECONDS
    _head_deadline: asyncio.TimerHandle | None = None

    def __init__(self, config: uvicorn.Config, *args: Any, **options: Any) -> None:
        super().__init__(config, *args, **options)
        self.conn = FrugalConnection(h11.SERVER, config.h11_max_incomplete_event_size or LARGEST_HEAD)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head_deadline is None:
            self._head_deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _forget_head(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn where h11 cannot go on; the connection ends with it."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The body went wrong while its request is handled: what the application says now has nowhere to go.
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            request_id = secrets.token_hex(16)
            problem = refusal(Refused(HTTPStatus.BAD_REQUEST, "bad_request", _DETAIL), instance=request_id)
            body = msgspec.json.encode(problem)
            own = problem_headers(problem, had_credential=False) | {"x-request-id": request_id, "content-length": str(len(body))}
            headers = [*DEFAULT_HEADERS.items(), *((name.lower().encode(), value.encode()) for name, value in own.items())]
            response = h11.Response(
                status_code=problem.status, headers=[*headers, (b"connection", b"close")], reason=b"Bad Request"
            )
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        # Half an answer is out already: nothing can be said any more.
        self.transport.close()


class QuietSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket without its lines per handshake and frame, which hold what clients send: queries, headers, tickets."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = logging.getLogger("uvicorn.error.sockets")
        self.logger.setLevel(logging.WARNING)
        self.conn.logger = self.logger
        self.conn.debug = False

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # A refusal ends the handshake as well; uvicorn would report that the application forgot it.
            self.handshake_complete = True
