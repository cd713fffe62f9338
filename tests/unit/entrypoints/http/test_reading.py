"""A GET only reads: its caller's units of work refuse to write, unless the operation says that it writes."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import get, post
from litestar.routes import HTTPRoute

from entrypoints.http.identity import Identify
from entrypoints.http.openapi import described, only_reads
from entrypoints.http.peer import peer_from
from entrypoints.http.trace import call_from, remember_call
from entrypoints.http.visits import Visit, remember_visit
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import World

WRITING_GETS: set[str] = set()
"""Operations that a GET starts and that change something; each is a decision, as browsers and scanners follow links."""


@get("/", opt=described(is_open=True))
async def plain() -> None: ...


@get("/", opt=described(is_open=True, writes=True))
async def writing() -> None: ...


@post("/", opt=described(is_open=True))
async def changing() -> None: ...


@pytest.mark.parametrize(
    ("method", "handler", "is_reading"),
    [("GET", plain, True), ("HEAD", plain, True), ("GET", writing, False), ("POST", changing, False)],
)
async def test_caller_of_a_get_is_reading(method: str, handler: Any, is_reading: bool) -> None:
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/", "headers": [], "client": ("127.0.0.1", 1)}
    scope["route_handler"] = handler
    remember_call(scope, call_from(()))
    remember_visit(scope, Visit(peer_from(scope, trusted_hops=0), None))

    async def nothing(*_: Any) -> Any: ...

    await Identify(nothing, authenticate=nothing)(scope, nothing, nothing)
    assert scope["user"].is_reading is is_reading


@asvs("7.6.2")
def test_operations_that_write_on_a_get_are_known(shared_world: World) -> None:
    found = {
        handler.operation_id
        for route in shared_world.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "GET" in handler.http_methods and not only_reads(handler, "GET")
    }
    assert found == WRITING_GETS
