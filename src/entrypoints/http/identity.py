"""Who calls: from ``Authorization: Bearer`` to an `Actor`. What the actor may do is for the use cases to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from litestar import Request
from litestar.types import ASGIApp, Receive, Send

from entrypoints.http.openapi import is_open, only_reads
from entrypoints.http.trace import call_of
from entrypoints.http.visits import visit_of
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.access_token import LONGEST_TOKEN
from tradingcore.auth.use_cases.authenticate import AuthenticateBearerCommand
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Unauthenticated

Authenticate = Callable[[AuthenticateBearerCommand, TraceId], Awaitable[Actor]]
"""Turns a bearer token into an actor on the given trace. Raises `CredentialRefused`, or `Unavailable`."""

SENSITIVE_PATHS: Final = ("/api/v1/account", "/api/v1/admin", "/api/v1/auth")
"""What is under them looks at the credential's row every time, and so does everything that changes something."""


class Identify:
    """Middleware of the routes under ``/api``: nobody gets past it, not even to a word about a wrong query, save to open routes."""

    def __init__(self, app: ASGIApp, *, authenticate: Authenticate) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            actor = await self._actor_of(scope)
            await visit_of(scope).count(actor)
            scope["user"] = replace(actor, is_reading=True) if only_reads(scope["route_handler"], scope["method"]) else actor
        await self._app(scope, receive, send)

    async def _actor_of(self, scope: Any) -> Actor:
        trace_id = call_of(scope).trace_id
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if not sent:
            if not is_open(scope["route_handler"]):
                raise Unauthenticated("this needs a credential: send an access token or an API key as a bearer token")
            return Actor.anonymous(trace_id)
        scheme, _, token = sent[0].decode("latin-1").partition(" ")
        token = token.strip()
        if len(sent) > 1 or scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
            raise CredentialRefused("send one credential: Authorization: Bearer and an access token or an API key")
        return await self._authenticate(bearer(scope, token), trace_id)


def bearer(scope: Any, token: str) -> AuthenticateBearerCommand:
    """What is to be authenticated: the token, where it comes from, and whether what is remembered of it will do."""
    path = scope["path"]
    is_under = any(path == folder or path.startswith(f"{folder}/") for folder in SENSITIVE_PATHS)
    is_sensitive = is_under or scope.get("method") not in ("GET", "HEAD")
    return AuthenticateBearerCommand(token=token, address=visit_of(scope).peer.address, is_sensitive=is_sensitive)


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """The dependency ``actor`` of the handlers."""
    actor: Actor = request.scope["user"]
    return actor
