from __future__ import annotations

from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler

from entrypoints.http.identity import Authenticate
from entrypoints.http.stream.credentials import CredentialWatch, Recheck, Redeem
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.sse import events_route
from entrypoints.http.stream.websocket import websocket_route


def stream_routes(
    hub: Hub,
    *,
    redeem_ticket: Redeem,
    authenticate_bearer: Authenticate,
    recheck: Recheck,
    allowed_origins: frozenset[str],
) -> list[HTTPRouteHandler | WebsocketRouteHandler]:
    """The handlers of ``/api/v1/stream`` and ``/api/v1/events``.

    Both authenticate by themselves. The application runs ``hub.running()`` as a lifespan; the server
    calls ``hub.drain()`` before it closes sockets, or clients get no reconnect delay.

    Parameters
    ----------
    redeem_ticket, authenticate_bearer : from what a client sent, and a trace id, to its actor; raise `Unauthenticated`.
    recheck : whether the credential of an actor still holds; `Unavailable` counts as yes.
    allowed_origins : what browsers may send as ``Origin``.
    """
    watch = CredentialWatch(recheck, period_seconds=hub.limits.recheck_seconds)
    return [
        websocket_route(
            hub,
            redeem_ticket=redeem_ticket,
            authenticate_bearer=authenticate_bearer,
            watch=watch,
            allowed_origins=allowed_origins,
        ),
        events_route(hub, authenticate_bearer=authenticate_bearer, redeem_ticket=redeem_ticket, watch=watch),
    ]
