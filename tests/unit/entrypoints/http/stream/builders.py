"""What the tests of the stream start from; used by the integration tests too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator
from litestar import Litestar, Request, Response

from adapters.memory.stream_log import MemoryStreamLog
from entrypoints.http.edge import Edge
from entrypoints.http.logs import Pseudonyms
from entrypoints.http.metrics import Metrics
from entrypoints.http.options import HttpSettings
from entrypoints.http.problems import status_of
from entrypoints.http.stream.asyncapi import asyncapi_document
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.routes import stream_routes
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.use_cases.authenticate import AuthenticateBearerCommand
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import TradingCoreError, Unavailable
from tradingcore.kernel.ports import Clock
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic
from tradingcore.testing.fakes import FakeClock, SequentialIds


def a_log(clock: Clock | None = None) -> MemoryStreamLog:
    return MemoryStreamLog(clock or FakeClock(), SequentialIds(), keep=timedelta(minutes=5))


class FlakyLog(MemoryStreamLog):
    """A log that can be lost: followers are cut off and everything raises `Unavailable` until it is back."""

    is_away = False
    reads = 0

    def lose(self) -> None:
        self.is_away = True
        for follower in tuple(self._followers):
            self._followers.discard(follower)
            follower.put_nowait(None)

    async def head(self, topic: Topic) -> StreamPosition:
        if self.is_away:
            raise Unavailable("away")
        return await super().head(topic)

    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        self.reads += 1
        if self.is_away:
            raise Unavailable("away")
        return await super().read(topic, after=after, limit=limit)

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[StreamEntry]]:
        if self.is_away:
            raise Unavailable("away")
        async with super().follow() as entries:
            yield entries


def an_actor(role: Role = Role.TRADER, *, number: int = 1) -> Actor:
    return Actor.of_user(
        trace_id=TraceId("0" * 32),
        user_id=UserId(UUID(int=number)),
        roles=frozenset({role}),
        plan=Plan.PRO,
        name=f"{role.value} {number}",
        credential_id=UUID(int=1000 + number),
    )


class Tickets:
    """Credentials by name: ``trader-1`` is a ticket, and a key, of the trader number 1. Those in ``revoked`` hold no more."""

    def __init__(self) -> None:
        self.revoked: set[UUID | None] = set()

    def revoke(self, number: int) -> None:
        self.revoked.add(UUID(int=number))

    async def redeem(self, ticket: str, trace_id: TraceId) -> Actor:
        role, _, number = ticket.partition("-")
        if role not in {item.value for item in Role} or not number.isdigit():
            raise CredentialRefused("the ticket is not valid")
        return replace(an_actor(Role(role), number=int(number)), trace_id=trace_id)

    async def accept(self, presented: AuthenticateBearerCommand, trace_id: TraceId) -> Actor:
        return await self.redeem(presented.token, trace_id)

    async def recheck(self, actor: Actor) -> bool:
        return actor.user_id not in self.revoked


def _strict(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas without their tolerance for additions, so that a frame with a field that nobody documented is found."""
    strict = deepcopy(schemas)
    for schema in strict.values():
        if schema.get("type") == "object":
            schema["additionalProperties"] = False
    return strict


_DOCUMENT = asyncapi_document("test")
_COMPONENTS = {"schemas": _strict(_DOCUMENT["components"]["schemas"])}
_VALIDATORS = {
    op: Draft202012Validator({"$ref": message["payload"]["$ref"], "components": _COMPONENTS})
    for op, message in _DOCUMENT["components"]["messages"].items()
}


def checked(text: str | bytes, *, operation: str = "sendToClient") -> dict[str, Any]:
    """The frame, after it was validated against the AsyncAPI document as a message of ``operation``."""
    frame: dict[str, Any] = json.loads(text)
    allowed = {reference["$ref"].rpartition("/")[2] for reference in _DOCUMENT["operations"][operation]["messages"]}
    assert frame["op"] in allowed, f"{frame['op']} is not documented for {operation}"
    _VALIDATORS[frame["op"]].validate(frame)
    return frame


async def eventually(holds: Callable[[], bool | Awaitable[bool]], *, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            result = holds()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.005)


def an_app(hub: Hub, tickets: Tickets) -> Litestar:
    """The stream routes and the edge around them."""
    routes = stream_routes(
        hub,
        redeem_ticket=tickets.redeem,
        authenticate_bearer=tickets.accept,
        recheck=tickets.recheck,
        allowed_origins=frozenset({"https://app.example"}),
    )

    def render(_: Request[Any, Any, Any], error: TradingCoreError) -> Response[dict[str, str]]:
        return Response({"code": error.code, "detail": str(error)}, status_code=status_of(type(error)))

    app = Litestar(routes, lifespan=[lambda _: hub.running()], exception_handlers={TradingCoreError: render})
    settings = HttpSettings(cursor_key=b"c" * 32, pseudonym_key=b"p" * 32)
    app.asgi_handler = Edge(app.asgi_handler, settings=settings, metrics=Metrics(), pseudonyms=Pseudonyms(b"p" * 32))
    return app
