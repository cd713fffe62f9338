"""The outermost layer: what every answer gets, whatever made it. Ids, a deadline, headers, CORS, one log line, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import msgspec
import structlog
from litestar.types import ASGIApp, Receive, Send

from entrypoints.http.cookies import PATHS_WITH_COOKIES
from entrypoints.http.heads import ambiguity, head_size, header, is_crooked, is_preflight
from entrypoints.http.logs import Pseudonyms
from entrypoints.http.metrics import UNMATCHED, Metrics
from entrypoints.http.options import HttpSettings
from entrypoints.http.peer import peer_from
from entrypoints.http.problems import Problem, Refused, problem_headers, problem_of, refusal
from entrypoints.http.stream.limits import CloseCode
from entrypoints.http.trace import Call, call_from, remember_call
from entrypoints.http.visits import LIMITED_PATHS, TooManyRequests, Visit, remember_visit, visit_of
from tradingcore.kernel.ports import RateLimiter

DEFAULT_HEADERS: Final[Mapping[bytes, bytes]] = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-site",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"strict-transport-security": b"max-age=31536000; includeSubDomains",
    b"cache-control": b"no-store",
}
"""An answer that sets one of these itself keeps its own."""

ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_REQUEST_HEADERS: Final = (
    b"authorization, content-type, if-none-match, last-event-id, traceparent, x-request-id, x-tradingcore-csrf"
)
EXPOSED_HEADERS: Final = b"etag, link, ratelimit, ratelimit-policy, retry-after, traceparent, www-authenticate, x-request-id"
PREFLIGHT_SECONDS: Final = b"600"
LARGEST_HEAD: Final = 16 * 1024
"""Bytes of path, query and headers."""

ENDLESS_PATHS: Final = frozenset({"/api/v1/events"})
"""Paths whose answer never ends, so that there is no such thing as its HEAD."""


class Edge:
    """An ASGI application around the framework's."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: HttpSettings,
        metrics: Metrics,
        pseudonyms: Pseudonyms,
        limiter: RateLimiter | None = None,
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._settings = settings
        self._metrics = metrics
        self._pseudonyms = pseudonyms
        self._origins = {origin.encode("latin-1") for origin in settings.allowed_origins}
        self._log = structlog.get_logger("http")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        call = call_from(scope["headers"])
        remember_call(scope, call)
        remember_visit(scope, Visit(peer_from(scope, trusted_hops=self._settings.trusted_hops), self._limiter))
        with structlog.contextvars.bound_contextvars(trace_id=call.trace_id, span_id=call.span_id, request_id=call.request_id):
            if scope["type"] == "websocket":
                await self._shake_hands(scope, receive, _Handshake(self, scope, call, send))
            else:
                await _Exchange(self, scope, call, send).run(receive)

    async def _shake_hands(self, scope: Any, receive: Receive, handshake: _Handshake) -> None:
        try:
            # Nobody is known before the first frame; what is sent then counts for whoever that names.
            await visit_of(scope).count()
        except TooManyRequests as error:
            self._metrics.limited.inc()
            await handshake.refuse(error)
        else:
            await self._app(scope, receive, handshake.send)

    async def answer(self, exchange: _Exchange, receive: Receive) -> None:
        scope: Any = exchange.scope
        if is_preflight(scope):
            exchange.is_free = True
            await exchange.send_plain(HTTPStatus.NO_CONTENT, self._preflight_headers(scope))
            return
        if head_size(scope) > LARGEST_HEAD:
            detail = f"path, query and headers have at most {LARGEST_HEAD} bytes together"
            await exchange.send_refusal(Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", detail))
            return
        if (fault := ambiguity(scope)) is not None:
            exchange.closes = True
            await exchange.send_refusal(Refused(HTTPStatus.BAD_REQUEST, "bad_request", fault))
            return
        if is_crooked(scope["path"]):
            exchange.is_free = False
            await exchange.send_refusal(Refused(HTTPStatus.NOT_FOUND, "not_found", "nothing is served at this path"))
            return
        size = header(scope, b"content-length")
        if size is not None and size.isdigit() and int(size[:20]) > self._settings.largest_body:
            detail = f"a body has at most {self._settings.largest_body} bytes"
            await exchange.send_refusal(Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content_too_large", detail))
            return
        if scope["method"] == "HEAD" and scope["path"] not in ENDLESS_PATHS:
            scope["method"] = "GET"
        try:
            async with asyncio.timeout(self._settings.deadline_seconds) as deadline:
                exchange.deadline = deadline
                await self._app(scope, receive, exchange.send)
        except TimeoutError:
            if exchange.status is not None or not deadline.expired():
                raise
            detail = f"no answer within {self._settings.deadline_seconds:g} s; try again later"
            await exchange.send_refusal(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "deadline_exceeded", detail))

    def headers_for(self, scope: Any, call: Call) -> dict[bytes, bytes]:
        """What an answer gets unless it has it."""
        headers = {**DEFAULT_HEADERS, b"x-request-id": call.request_id.encode(), b"traceparent": call.traceparent.encode()}
        headers |= visit_of(scope).headers()
        origin = header(scope, b"origin")
        if self._origins:
            headers[b"vary"] = b"Origin"
        if origin in self._origins and origin is not None:
            headers[b"access-control-allow-origin"] = origin
            headers[b"access-control-expose-headers"] = EXPOSED_HEADERS
            if scope["path"] in PATHS_WITH_COOKIES:
                headers[b"access-control-allow-credentials"] = b"true"
        return headers

    def _preflight_headers(self, scope: Any) -> dict[bytes, bytes]:
        if header(scope, b"origin") not in self._origins:
            return {}
        return {
            b"access-control-allow-methods": ALLOWED_METHODS,
            b"access-control-allow-headers": ALLOWED_REQUEST_HEADERS,
            b"access-control-max-age": PREFLIGHT_SECONDS,
        }

    def record(self, exchange: _Exchange, seconds: float) -> None:
        scope: Any = exchange.scope
        route = scope.get("path_template") or UNMATCHED
        status = exchange.status or 499  # the client went away first
        if visit_of(scope).is_over:
            self._metrics.limited.inc()
        self._metrics.request_answered(method=exchange.method, route=route, status=status, seconds=seconds)
        actor = scope.get("user")
        is_probe = route.startswith("/health") or route == "/metrics"
        log = self._log.debug if is_probe and status < HTTPStatus.BAD_REQUEST else self._log.info
        log(
            "http_request",
            method=exchange.method if len(exchange.method) < 16 else "other",
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 3),
            user="anonymous" if actor is None else self._pseudonyms.of(actor),
        )

    async def run(self, exchange: _Exchange, receive: Receive) -> None:
        started = perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self.answer(exchange, receive)
            finally:
                self.record(exchange, perf_counter() - started)


class _Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: Any, call: Call, send: Send) -> None:
        self._edge = edge
        self._call = call
        self._send = send
        self.scope = scope
        self.method: str = scope["method"]
        self.status: int | None = None
        self.deadline: asyncio.Timeout | None = None
        self.is_free = not scope["path"].startswith(LIMITED_PATHS)
        self.closes = False
        """Whether nothing more is read from the connection."""
        self._is_replaced = False

    async def run(self, receive: Receive) -> None:
        await self._edge.run(self, receive)

    async def send(self, message: Any) -> None:
        """Complete the head of an answer; drop the body of an answer to HEAD."""
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            if not self.is_free and not visit_of(self.scope).is_counted and not await self._counts():
                return
            self.status = message["status"]
            if self.deadline is not None and not self.deadline.expired():
                self.deadline.reschedule(None)
            message["headers"] = self._completed(message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.method == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    def _completed(self, own: Any) -> list[tuple[bytes, bytes]]:
        headers = [(bytes(name).lower(), bytes(value)) for name, value in own]
        present = {name for name, _ in headers} - {b"vary"}
        if self.closes:
            headers.append((b"connection", b"close"))
        return headers + [pair for pair in self._edge.headers_for(self.scope, self._call).items() if pair[0] not in present]

    async def send_plain(self, status: HTTPStatus, headers: Mapping[bytes, bytes], body: bytes = b"") -> None:
        await self.send({"type": "http.response.start", "status": status.value, "headers": list(headers.items())})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def _counts(self) -> bool:
        # What was refused before anybody was known: no such path, no credential, one that does not hold.
        try:
            await visit_of(self.scope).count()
        except TooManyRequests as error:
            await self.send_limit(error)
            self._is_replaced = True
            return False
        return True

    async def send_limit(self, error: TooManyRequests) -> None:
        await self._send_problem(problem_of(error, instance=self._call.request_id), retry_after=error.retry_after_seconds)

    async def send_refusal(self, refused: Refused) -> None:
        await self._send_problem(refusal(refused, instance=self._call.request_id))

    async def _send_problem(self, problem: Problem, **about: Any) -> None:
        body = msgspec.json.encode(problem)
        headers = problem_headers(problem, had_credential=False, **about) | {"content-length": str(len(body))}
        named = {name.lower().encode(): value.encode() for name, value in headers.items()}
        await self.send_plain(HTTPStatus(problem.status), named, body)


class _Handshake:
    """The opening of a WebSocket. One that is refused gets a problem, where the server can send one."""

    def __init__(self, edge: Edge, scope: Any, call: Call, send: Send) -> None:
        self._scope = scope
        self._exchange = _Exchange(edge, {**scope, "method": "GET"}, call, self._send_response)
        self._send = send
        self._is_open = False

    async def send(self, message: Any) -> None:
        self._is_open = self._is_open or message["type"] == "websocket.accept"
        refuses = message["type"] == "websocket.close" and not self._is_open
        if not refuses or "websocket.http.response" not in (self._scope.get("extensions") or {}):
            await self._send(message)
        elif not self._scope.get("path_template"):
            await self._exchange.send_refusal(Refused(HTTPStatus.NOT_FOUND, "not_found", "nothing is served at this path"))
        else:
            detail = "pages of this origin may not open a stream; http.allowed_origins names those that may"
            await self._exchange.send_refusal(Refused(HTTPStatus.FORBIDDEN, "origin_refused", detail))

    async def refuse(self, error: TooManyRequests) -> None:
        if "websocket.http.response" in (self._scope.get("extensions") or {}):
            await self._exchange.send_limit(error)
        else:
            await self._send({"type": "websocket.close", "code": CloseCode.TOO_MANY_FRAMES.value, "reason": ""})

    async def _send_response(self, message: Any) -> None:
        answer: Any = {**message, "type": f"websocket.{message['type']}"}
        await self._send(answer)
