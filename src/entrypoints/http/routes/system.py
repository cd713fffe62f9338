"""Probes, metrics, the small page, and the documents. All of it outside ``/api`` and, but for metrics, open to everybody."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http import metrics as families
from entrypoints.http.conditional import matches, not_modified
from entrypoints.http.health import Lifecycle, ProbeReadiness
from entrypoints.http.metrics import Metrics
from entrypoints.http.openapi import Documents, described
from entrypoints.http.problems import Refused
from entrypoints.http.schemas.system import HealthBody
from entrypoints.http.static_files import StaticFiles
from entrypoints.http.visits import visit_of


@get("/health/live", operation_id="getLiveness", summary="The process turns", opt=described(is_open=True))
async def live_handler() -> HealthBody:
    return HealthBody(status="ok", checks={})


@get("/health/ready", operation_id="getReadiness", summary="Requests may come", opt=described(is_open=True, may_be_unready=True))
async def ready_handler(lifecycle: NamedDependency[Lifecycle], readiness: NamedDependency[ProbeReadiness]) -> HealthBody:
    if lifecycle.is_draining:
        raise _not_ready("the server is stopping", {"server": "stopping"})
    found = await readiness()
    if not found.is_ready:
        raise _not_ready("something that requests need is missing", found.as_text())
    return HealthBody(status="ok", checks=found.as_text())


@get(
    "/health/startup",
    operation_id="getStartup",
    summary="The process has started",
    opt=described(is_open=True, may_be_unready=True),
)
async def startup_handler(lifecycle: NamedDependency[Lifecycle]) -> HealthBody:
    if not lifecycle.has_started:
        raise _not_ready("the server is starting", {"server": "starting"})
    return HealthBody(status="ok", checks={})


def _not_ready(detail: str, checks: dict[str, str]) -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", detail, checks=checks)


class ScrapeGuard:
    """Lets in whoever shows the token or, where there is none, whoever calls from this machine and through no proxy."""

    def __init__(self, token: bytes | None) -> None:
        self._token = token

    def require(self, request: Request[Any, Any, Any]) -> None:
        """Raise `Refused`, as for a path where nothing is."""
        if self._token is not None:
            sent = request.headers.get("authorization", "").encode("latin-1", "replace")
            is_allowed = hmac.compare_digest(sent, b"Bearer " + self._token)
        else:
            peer = visit_of(request.scope).peer
            is_allowed = peer.is_direct and peer.address.is_loopback
        if not is_allowed:
            raise Refused(HTTPStatus.NOT_FOUND, "not_found", "nothing is served at this path")


@get("/metrics", include_in_schema=False)
async def metrics_handler(
    request: Request[Any, Any, Any], metrics: NamedDependency[Metrics], scrape_guard: NamedDependency[ScrapeGuard]
) -> Response[bytes]:
    scrape_guard.require(request)
    return Response(metrics.exposition(), media_type=families.CONTENT_TYPE)


@get("/", include_in_schema=False)
async def page_handler(request: Request[Any, Any, Any], static_files: NamedDependency[StaticFiles]) -> Response[Any]:
    return static_file(request, static_files, "index.html")


@get("/sign-in", include_in_schema=False)
async def sign_in_page_handler(request: Request[Any, Any, Any], static_files: NamedDependency[StaticFiles]) -> Response[Any]:
    return static_file(request, static_files, "sign-in.html")


@get("/static/{name:str}", include_in_schema=False)
async def static_handler(
    request: Request[Any, Any, Any], name: FromPath[str], static_files: NamedDependency[StaticFiles]
) -> Response[Any]:
    return static_file(request, static_files, name)


def static_file(request: Request[Any, Any, Any], static_files: StaticFiles, name: str) -> Response[Any]:
    file = static_files.find(name)
    if file is None:
        raise Refused(HTTPStatus.NOT_FOUND, "not_found", "nothing is served at this path")
    headers = {**file.headers, "Cache-Control": "no-cache"}
    if matches(request, file.etag):
        return not_modified(file.etag, **headers)
    return Response(file.content, media_type=file.media_type, headers={"ETag": file.etag, **headers})


@get("/docs", include_in_schema=False)
async def docs_handler(request: Request[Any, Any, Any], static_files: NamedDependency[StaticFiles]) -> Response[Any]:
    return static_file(request, static_files, "docs.html")


@get("/openapi.json", include_in_schema=False)
async def openapi_handler(documents: NamedDependency[Documents]) -> Response[bytes]:
    return Response(documents.openapi, media_type="application/json")


@get("/asyncapi.json", include_in_schema=False)
async def asyncapi_handler(documents: NamedDependency[Documents]) -> Response[bytes]:
    return Response(documents.asyncapi, media_type="application/json")


ROUTES = Router(
    "/",
    route_handlers=[
        live_handler,
        ready_handler,
        startup_handler,
        metrics_handler,
        page_handler,
        sign_in_page_handler,
        static_handler,
    ],
    tags=["system"],
)
DOCUMENT_ROUTES = Router("/", route_handlers=[docs_handler, openapi_handler, asyncapi_handler])
