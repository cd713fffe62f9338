"""The API process: the HTTP application with everything that it needs, and the server that runs it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from litestar import Litestar

from entrypoints.http.app import create_app
from entrypoints.http.di import use_cases_of
from entrypoints.http.edge import LARGEST_HEAD
from entrypoints.http.health import Check, Lifecycle, Readiness
from entrypoints.http.metrics import Metrics
from entrypoints.http.monitoring import OutboxGauges, watch_limits, watch_stream
from entrypoints.http.options import HttpSettings
from entrypoints.http.stream.asyncapi import asyncapi_document
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.routes import stream_routes
from entrypoints.http.wire import ProblemProtocol, QuietSocketProtocol
from entrypoints.platform import Platform
from entrypoints.secret_files import secret_of
from entrypoints.settings import ConfigurationError
from tradingcore import __version__
from tradingcore.auth.use_cases.authenticate import (
    AuthenticateBearerCommand,
    RecheckCredentialCommand,
    RedeemStreamTicketCommand,
)
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import TradingCoreError

BACKLOG: Final = 2048
KEEP_ALIVE_SECONDS: Final = 10


class ApiServer:
    """One API process, built and ready to be run once."""

    def __init__(self, platform: Platform, *, metrics: Metrics | None = None) -> None:
        self._platform = platform
        self._container = platform.container
        self._lifecycle = Lifecycle()
        self._hub = Hub(self._container.stream_log())
        metrics = metrics or Metrics()
        watch_stream(metrics, self._hub)
        watch_limits(metrics, requests=self._container.rate_limiter, attempts=self._container.attempts)
        self._outbox_gauges = OutboxGauges(metrics, self._container.outbox)
        self.app = self._application(metrics)
        self._server: _DrainingServer | None = None

    def _application(self, metrics: Metrics) -> Litestar:
        settings = self._platform.settings
        container = self._container
        origins = frozenset(settings.http.allowed_origins)
        scrape = settings.secrets.metrics_token
        return create_app(
            use_cases_of(container),
            settings=HttpSettings(
                cursor_key=secret_of(settings, "cursor_key"),
                pseudonym_key=secret_of(settings, "pseudonym_key"),
                environment=settings.environment.value,
                version=__version__,
                allowed_origins=origins,
                shows_docs=settings.shows_docs,
                trusted_hops=settings.http.trusted_hops,
                public_url=settings.public_url,
                sign_in_path=settings.oauth.sign_in_path,
                metrics_token=None if scrape is None else scrape.get_secret_value().encode(),
            ),
            limiter=container.rate_limiter() if settings.limits.requests_per_minute else None,
            authenticate=self._authenticate,
            readiness=self._readiness,
            metrics=metrics,
            lifecycle=self._lifecycle,
            stream_routes=stream_routes(
                self._hub,
                redeem_ticket=self._redeem_ticket,
                authenticate_bearer=self._authenticate,
                recheck=self._recheck,
                allowed_origins=origins,
            ),
            asyncapi=asyncapi_document(__version__),
            lifespan=[self._hub_running],
            mailbox=container.mail_sender if settings.shows_mailbox else None,
            local_provider=container.local_provider if settings.has_local_provider else None,
        )

    async def _authenticate(self, presented: AuthenticateBearerCommand, trace_id: TraceId) -> Actor:
        actor: Actor = await self._container.authenticate_bearer()(Actor.anonymous(trace_id), presented)
        return actor

    async def _redeem_ticket(self, token: str, trace_id: TraceId) -> Actor:
        nobody = Actor.anonymous(trace_id)
        actor: Actor = await self._container.redeem_stream_ticket()(nobody, RedeemStreamTicketCommand(token=token))
        return actor

    async def _recheck(self, holder: Actor) -> bool:
        nobody = Actor.anonymous(holder.trace_id)
        holds: bool = await self._container.recheck_credential()(nobody, RecheckCredentialCommand(holder=holder))
        return holds

    async def _readiness(self) -> Readiness:
        checks = [Check(name="process", is_ok=not self._lifecycle.is_draining, detail="the process is stopping")]
        try:
            await self._container.readiness_probe()()
            checks.append(Check(name="storage", is_ok=True))
        except TradingCoreError as error:
            checks.append(Check(name="storage", is_ok=False, detail=str(error)))
        return Readiness(tuple(checks))

    @asynccontextmanager
    async def _hub_running(self, _: Litestar) -> AsyncIterator[None]:
        # Without it nothing that is remembered of credentials is believed.
        following = asyncio.create_task(self._container.rights_watch().follow())
        try:
            async with self._outbox_gauges.running(), self._hub.running():
                yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    def listen(self) -> socket.socket:
        """Bind the configured address. Raises `ConfigurationError` when it is taken or not ours."""
        http = self._platform.settings.http
        try:
            family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
            # Only of a socket that says TCP does asyncio turn Nagle's algorithm off, which costs 40 ms on every answer.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((http.host, http.port))
            listener.listen(BACKLOG)  # whoever comes before the server runs waits, and is not refused
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise ConfigurationError(
                    f"port {http.port} on {http.host} is in use by another program: choose another with --port, or 0 for a free one"
                ) from None
            raise ConfigurationError(f"cannot listen on {http.host}:{http.port}: {error.strerror or error}") from None
        return listener

    async def serve(self, listener: socket.socket) -> None:
        """Answer until a signal or `stop`; then finish what is under way and send stream clients elsewhere."""
        http = self._platform.settings.http
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # uvicorn would believe whatever a local proxy passes on; `Peer` knows how many to trust
            lifespan="on",
            http=ProblemProtocol,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ws=QuietSocketProtocol,
            ws_max_size=2 * self._hub.limits.frame_bytes,  # so that our own limit answers first, with its close code
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=http.shutdown_seconds,
        )
        self._server = _DrainingServer(config, self._lifecycle, self._hub, drain_seconds=http.drain_seconds)
        await self._server.serve(sockets=[listener])

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True


class _DrainingServer(uvicorn.Server):
    """Says that it is not ready, waits for balancers to notice, and sends stream clients away before it closes."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, hub: Hub, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._hub = hub
        self._drain_seconds = drain_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._lifecycle.drain()
        await asyncio.sleep(self._drain_seconds)
        await self._hub.drain()
        await super().shutdown(sockets)


def address_of(listener: socket.socket) -> str:
    """The base address of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
