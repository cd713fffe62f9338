"""The HTTP application: use cases in, an ASGI application out. Nothing here knows how the use cases were made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from entrypoints.http.di import resolve_in_turn, supplied
from entrypoints.http.edge import Edge
from entrypoints.http.health import Lifecycle, ProbeReadiness
from entrypoints.http.identity import Authenticate, Identify, actor_of
from entrypoints.http.inputs import refuse_unread_query
from entrypoints.http.logs import Pseudonyms
from entrypoints.http.metrics import Metrics
from entrypoints.http.oauth_browser import OAuthBrowser
from entrypoints.http.openapi import Documents, openapi_document
from entrypoints.http.options import HttpSettings
from entrypoints.http.pages import Cursors, Paging
from entrypoints.http.problems import EXCEPTION_HANDLERS
from entrypoints.http.routes import (
    accounts,
    addresses,
    auth,
    factors,
    identities,
    keys,
    local_identity,
    mail,
    ml,
    passkeys,
    phones,
    providers,
    sessions,
    staff,
    system,
    trading,
)
from entrypoints.http.static_files import StaticFiles
from entrypoints.http.visits import peer_of
from tradingcore.auth.use_cases.authenticate import AuthenticateBearerCommand
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.ports import RateLimiter

API_ROUTES: Final = (
    accounts.ROUTES,
    addresses.ROUTES,
    auth.ROUTES,
    factors.ROUTES,
    identities.ROUTES,
    keys.ROUTES,
    ml.ROUTES,
    passkeys.ROUTES,
    providers.ROUTES,
    phones.ROUTES,
    phones.WEBHOOK_ROUTES,
    sessions.ROUTES,
    staff.ROUTES,
    trading.ROUTES,
)

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    use_cases: Mapping[str, Callable[[], Any]],
    *,
    settings: HttpSettings,
    authenticate: Authenticate,
    readiness: ProbeReadiness,
    metrics: Metrics | None = None,
    lifecycle: Lifecycle | None = None,
    stream_routes: Sequence[Any] = (),
    asyncapi: Mapping[str, Any] | None = None,
    lifespan: Sequence[Lifespan] = (),
    limiter: RateLimiter | None = None,
    mailbox: mail.MakeMailbox | None = None,
    local_provider: local_identity.MakeLocalProvider | None = None,
) -> Litestar:
    """Build the application.

    Args:
        use_cases: factories by name, one for each use case that a route asks for.
        settings: keys, limits and who may call from a browser.
        authenticate: a bearer token and a trace id to an actor. Raises `CredentialRefused`.
        readiness: asked by ``/health/ready`` on every probe; quick, and never raising.
        metrics: given where others count into the same registry.
        lifecycle: given where the server reports that it is stopping.
        stream_routes: route handlers of the stream, with their whole paths; they authenticate by themselves.
        asyncapi: the document that describes them.
        lifespan: async context managers around the life of the application, such as the stream's hub.
        limiter: counts every request under ``/api``; without one nothing is limited.
        mailbox: given in development only: what was mailed is shown to whoever asks.
        local_provider: given in development only: an identity provider where anybody may be anybody.
    """
    metrics = metrics or Metrics()
    lifecycle = lifecycle or Lifecycle()
    cursors = Cursors(settings.cursor_key)
    static_files = StaticFiles(with_docs=settings.shows_docs)
    session_cookies = settings.session_cookies
    oauth_browser = OAuthBrowser(is_secure=session_cookies.is_secure, sign_in_path=settings.sign_in_path)
    scrape_guard = system.ScrapeGuard(settings.metrics_token)
    documents: list[Documents] = []

    def paging(request: Request[Any, Any, Any]) -> Paging:
        return Paging.of(request, cursors)

    # Litestar copies routers deeply, and with a bound method all that it is bound to; a plain function it takes as it is.
    async def authenticated(presented: AuthenticateBearerCommand, trace_id: TraceId) -> Actor:
        return await authenticate(presented, trace_id)

    factories = {
        **use_cases,
        "documents": lambda: documents[0],
        "http_settings": lambda: settings,
        "lifecycle": lambda: lifecycle,
        "metrics": lambda: metrics,
        "oauth_browser": lambda: oauth_browser,
        "readiness": lambda: readiness,
        "session_cookies": lambda: session_cookies,
        "scrape_guard": lambda: scrape_guard,
        "static_files": lambda: static_files,
        **({} if mailbox is None else {"mailbox": mailbox}),
        **({} if local_provider is None else {"local_provider": local_provider}),
    }
    api = Router(
        "/api/v1",
        route_handlers=[supplied(routes, factories) for routes in API_ROUTES],
        dependencies={
            "actor": Provide(actor_of, sync_to_thread=False),
            "paging": Provide(paging, sync_to_thread=False),
            "peer": Provide(peer_of, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(Identify, authenticate=authenticated)],
        before_request=refuse_unread_query,
    )
    pages = [
        system.ROUTES,
        mail.ROUTES,
        *([system.DOCUMENT_ROUTES] if settings.shows_docs else []),
        *([mail.MAILBOX_ROUTES] if mailbox is not None else []),
        *([local_identity.ROUTES] if local_provider is not None else []),
    ]
    app = Litestar(
        route_handlers=[api, *stream_routes, *(supplied(routes, factories) for routes in pages)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=list(lifespan),
        on_startup=[lifecycle.started],
        request_max_body_size=settings.largest_body,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    resolve_in_turn(app)
    described = openapi_document(app, version=settings.version)
    documents.append(Documents(openapi=msgspec.json.encode(described), asyncapi=json.dumps(asyncapi or {}).encode()))
    # The framework's middleware does not see what it cannot route; this layer sees everything.
    app.asgi_handler = Edge(
        app.asgi_handler, settings=settings, metrics=metrics, pseudonyms=Pseudonyms(settings.pseudonym_key), limiter=limiter
    )
    return app
