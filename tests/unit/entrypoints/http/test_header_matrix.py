"""Every route of the application, every kind of origin: the headers of security.md, A17, on all answers. No route is left out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar.routes import HTTPRoute

from entrypoints.http.cookies import PATHS_WITH_COOKIES
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import ORIGIN, World
from tradingcore.kernel.authz import Role

EVERYWHERE = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-site",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
FOREIGN = (
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "http://app.example",
    "https://app.example:8443",
    "*",
)


def routes(world: World) -> Iterator[tuple[str, str]]:
    """Method and path of every operation that the application routes, with ids that belong to nobody."""
    for route in world.app.routes:
        if isinstance(route, HTTPRoute):
            path = route.path_format
            for name in route.path_parameters:
                path = path.replace(f"{{{name}}}", "app.js" if path.startswith("/static") else str(UUID(int=7)))
            for method in sorted(route.methods - {"OPTIONS"}):
                yield method, path


async def ask(client: httpx.AsyncClient, method: str, path: str, **headers: str) -> httpx.Response:
    # A stream that never ends is asked for nothing: it answers with a problem.
    return await client.request(method, path, headers=headers)


@pytest.fixture
def all_routes(shared_world: World) -> list[tuple[str, str]]:
    found = list(routes(shared_world))
    assert len(found) > 20
    return found


def faults(answer: httpx.Response) -> list[str]:
    """What an answer lacks, or says too much of."""
    headers = answer.headers
    found = [f"{name}: {headers.get(name)}" for name, value in EVERYWHERE.items() if headers.get_list(name) != [value]]
    policy, kind = headers.get("content-security-policy", ""), headers.get("content-type", "")
    if kind.startswith("text/html"):
        is_strict = policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        if headers.get("cross-origin-opener-policy") != "same-origin":
            found.append("cross-origin-opener-policy")
    else:
        is_strict = policy == API_POLICY
    if not is_strict:
        found.append(f"content-security-policy: {policy}")
    is_file = kind.startswith("text/") and answer.is_success
    if headers.get_list("cache-control") != ["no-cache" if is_file and "/metrics" not in str(answer.url) else "no-store"]:
        found.append(f"cache-control: {headers.get('cache-control')}")
    found += [name for name in ("server", "x-powered-by", "access-control-allow-credentials") if name in headers]
    if answer.content and not kind:
        found.append("content-type")
    return found


@asvs("3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.5.8", "4.1.1", "13.4.6", "14.3.2", "3.2.1")
@pytest.mark.parametrize("who", ["anonymous", "trader", "superadmin"])
async def test_every_answer_of_every_route_is_guarded(shared_world: World, all_routes: list[tuple[str, str]], who: str) -> None:
    client = shared_world.client() if who == "anonymous" else await shared_world.client_of(Role(who))
    async with client:
        found = {f"{method} {path}": faults(await ask(client, method, path)) for method, path in all_routes}
    assert {route: wrong for route, wrong in found.items() if wrong} == {}


@asvs("3.4.2", "3.5.1", "3.5.2")
async def test_every_route_may_be_read_from_listed_origins_alone(shared_world: World, all_routes: list[tuple[str, str]]) -> None:
    wrong = []
    async with shared_world.client() as client:
        for method, path in all_routes:
            answer = await ask(client, method, path, origin=ORIGIN)
            if (answer.headers.get("access-control-allow-origin"), answer.headers.get("vary")) != (ORIGIN, "Origin"):
                wrong.append((method, path, ORIGIN))
            if (answer.headers.get("access-control-allow-credentials") == "true") != (path in PATHS_WITH_COOKIES):
                wrong.append((method, path, "with cookies"))
            for origin in FOREIGN:
                answer = await ask(client, method, path, origin=origin)
                if [name for name in answer.headers if name.startswith("access-control-")]:
                    wrong.append((method, path, origin))
    assert wrong == []


@asvs("3.4.2", "3.5.2")
async def test_every_route_answers_a_browser_that_asks_first(shared_world: World, all_routes: list[tuple[str, str]]) -> None:
    wrong: list[Any] = []
    async with shared_world.client() as client:
        for method, path in all_routes:
            for origin in (ORIGIN, *FOREIGN):
                asking = {"origin": origin, "access-control-request-method": method}
                answer = await client.options(path, headers=asking)
                allowed = answer.headers.get("access-control-allow-methods", "").split(", ")
                may = answer.headers.get("access-control-allow-origin") == origin and method in allowed
                if answer.status_code != 204 or answer.content or may != (origin == ORIGIN):
                    wrong.append((method, path, origin))
                wrong += [
                    (path, name) for name, value in answer.headers.items() if name.startswith("access-control-") and "*" in value
                ]
    assert wrong == []


@asvs("3.4.2")
async def test_cookies_are_asked_for_by_no_origin(shared_world: World) -> None:
    async with shared_world.client() as client:
        answer = await client.options("/api/v1/trading/symbols", headers={"origin": ORIGIN, "access-control-request-method": "GET"})
    assert "cookie" not in answer.headers["access-control-allow-headers"]


@pytest.mark.campaign
async def test_the_whole_matrix(shared_world: World, all_routes: list[tuple[str, str]]) -> None:
    started, failures = time.monotonic(), 0
    callers = [shared_world.client(), *[await shared_world.client_of(role) for role in Role]]
    for client in callers:
        async with client:
            for method, path in all_routes:
                for origin in (ORIGIN, *FOREIGN):
                    answer = await ask(client, method, path, origin=origin)
                    is_allowed = answer.headers.get("access-control-allow-origin") == origin
                    failures += bool(set(faults(answer)) - {"access-control-allow-credentials"}) or is_allowed != (origin == ORIGIN)
    evidence = {"id": "G27", "part": "headers and CORS", "n": len(all_routes) * len(callers) * (1 + len(FOREIGN))}
    print(json.dumps({**evidence, "failures": failures, "seed": None, "seconds": round(time.monotonic() - started, 1)}))
    assert failures == 0
