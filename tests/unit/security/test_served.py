"""What every route of the application holds to, whatever it is about. A new route is held to it by being there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from entrypoints.http.inputs import FromBody, read_body, read_query
from entrypoints.http.schemas.accounts import Registration
from entrypoints.http.schemas.trading import SignalQuery
from entrypoints.http.schemas.values import Response
from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_header_matrix import routes
from tests.unit.entrypoints.http.world import World, a_furnished_world
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import InvalidInput

API = "/api/v1"
LEADING_ELSEWHERE = {f"{API}/auth/providers/{{provider}}/callback"}
"""Where a browser comes back from a provider, and is led on to a page of ours."""


@pytest.fixture(scope="module")
def world() -> World:
    return a_furnished_world()


def handlers(world: World) -> Iterator[tuple[str, HTTPRouteHandler]]:
    for route in world.app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "OPTIONS" not in handler.http_methods:
                    yield route.path_format, handler


@asvs("4.1.4", "13.4.4")
async def test_only_declared_methods_are_answered(world: World) -> None:
    declared: dict[str, set[str]] = {}
    for method, path in routes(world):
        declared.setdefault(path, set()).add(method)
    answered = []
    async with world.client() as client:
        for path, methods in declared.items():
            for method in {"TRACE", "CONNECT", "PROPFIND", "GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
                answer = await client.request(method, path)
                answered += [] if answer.status_code == 405 else [(method, path, answer.status_code)]
    assert len(declared) > 60
    assert answered == []


@asvs("5.3.1", "13.4.1", "13.4.3")
@pytest.mark.parametrize(
    "path",
    [
        *(
            "/static",
            "/static/",
            "/mail/",
            "/api/v1/",
            "/dev/",
            "/.git/config",
            "/.git/HEAD",
            "/.svn/entries",
            "/static/.git/config",
        ),
        *("/static/..%2f..%2fapp.py", "/static/%2e%2e/app.py", "/pyproject.toml", "/requirements.lock", "/secrets/signing_keys"),
        *("/roles.json", "/postgres/server.log", "/models/", "/mailbox/", "/backup.tar"),
    ],
)
async def test_no_folder_is_listed_and_no_file_of_ours_is_served(world: World, path: str) -> None:
    async with world.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@asvs("13.4.2")
def test_nothing_runs_in_debug_mode(world: World) -> None:
    assert world.app.debug is False
    assert world.app.pdb_on_exception is False


@asvs("4.1.2")
async def test_no_route_leads_from_http_to_https_or_elsewhere(world: World) -> None:
    leading = set()
    async with world.client() as client:
        for method, path in routes(world):
            answer = await client.request(method, path)
            if answer.is_redirect or "location" in answer.headers:
                leading.add(path)
    placeholder = "00000000-0000-0000-0000-000000000007"
    assert {path.replace(placeholder, "{provider}") for path in leading} <= LEADING_ELSEWHERE


@asvs("4.1.1")
async def test_every_text_says_its_character_set(world: World) -> None:
    found = set()
    async with await world.client_of(Role.TRADER) as client:
        for method, path in routes(world):
            found.add((await client.request(method, path)).headers.get("content-type", ""))
    assert {kind for kind in found if kind.startswith("text/") and "charset=utf-8" not in kind} == set()
    assert {kind.partition(";")[0] for kind in found} <= {
        *("", "application/json", "application/problem+json", "text/html", "text/css", "text/javascript", "image/svg+xml"),
        *("application/openmetrics-text", "text/event-stream", "text/plain"),
    }


@asvs("1.3.4", "1.3.5")
def test_no_route_takes_a_picture_a_page_or_a_file(world: World) -> None:
    kinds = {
        kind
        for operations in world.document["paths"].values()
        for operation in operations.values()
        if isinstance(operation, dict)
        for kind in operation.get("requestBody", {}).get("content", {})
    }
    assert kinds == {"application/json"}
    with_form = {path for path, handler in handlers(world) if "POST" in handler.http_methods and not handler.include_in_schema}
    assert all(path.startswith((f"{API}/auth/providers/", f"{API}/phones/", f"{API}/webhooks/")) for path in with_form), with_form
    reading = {kind for _, handler in handlers(world) for kind in handler.parsed_fn_signature.parameters if kind == "data"}
    assert reading == set(), "bodies are read by FromBody, which takes JSON alone"


def body_types(world: World) -> set[type[msgspec.Struct]]:
    """The types of all bodies, with those of their parts."""
    items = [item for _, handler in handlers(world) for item in handler.resolve_dependencies().values()]
    found: set[type[msgspec.Struct]] = set()
    waiting: list[Any] = [msgspec.inspect.type_info(item.kind) for item in items if isinstance(item, FromBody)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            found.add(info.cls)
            waiting += [field.type for field in info.fields]
        for name in ("item_type", "value_type", "type"):
            waiting += [getattr(info, name)] if hasattr(info, name) else []
        waiting += getattr(info, "types", ())
    return found


@asvs("15.3.3")
def test_every_body_refuses_what_it_does_not_name(world: World) -> None:
    kinds = body_types(world)
    assert len(kinds) > 20
    assert [kind.__name__ for kind in kinds if not kind.__struct_config__.forbid_unknown_fields] == []


@asvs("15.3.1", "8.2.3")
def test_every_answer_is_a_type_of_its_own_and_no_object_of_the_domain(world: World) -> None:
    foreign = []
    for path, handler in handlers(world):
        text = str(handler.parsed_fn_signature.return_type.raw)
        is_own = any(part.__name__ in text for part in every_answer())
        if path.startswith(API) and not is_own and not re.fullmatch(r".*(None|bytes|Stream|ServerSentEvent).*", text):
            foreign.append((path, text))
        if "tradingcore." in text:
            foreign.append((path, text))
    assert foreign == []


def every_answer() -> list[type[Response]]:
    found, waiting = [], [Response]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind is not Response]


@asvs("1.1.1")
def test_a_value_is_decoded_once() -> None:
    assert read_query(b"symbol=BTC%2FUSDT&timeframe=1h", SignalQuery).symbol == "BTC/USDT"
    with pytest.raises(InvalidInput, match="BTC%2FUSDT"):
        read_query(b"symbol=BTC%252FUSDT&timeframe=1h", SignalQuery)
    body = read_body(rb'{"email": "a%40example.org", "password": "\\u0061"}', Registration)
    assert (body.email, body.password) == ("a%40example.org", r"\u0061")


@asvs("1.4.2")
@pytest.mark.parametrize("limit", [0, -1, 201, 2**31, 2**63, 2**64, 10**40])
def test_numbers_out_of_range_are_refused(limit: int) -> None:
    with pytest.raises(InvalidInput):
        read_query(b"limit=%d" % limit, SignalQuery)


@asvs("1.2.3", "1.3.1", "1.3.5", "1.3.3")
@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", '","roles":["admin"],"x":"', "{{ 7 * 7 }}", "**bold** ${x} %s"]
)
async def test_what_looks_like_code_comes_back_as_the_text_that_it_is(name: str) -> None:
    world = World()
    client = await signed_in(world, await an_owner(world))
    before = (await client.get(f"{API}/account")).json()
    etag = (await client.get(f"{API}/account")).headers["etag"]
    changed = await client.patch(f"{API}/account", json={"display_name": name}, headers={"if-match": etag})
    assert changed.status_code == 200, changed.text
    answer = await client.get(f"{API}/account")
    assert json.loads(answer.content) == before | {"display_name": name}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@asvs("1.3.3")
@pytest.mark.parametrize("name", ["a\x00b", "a\x1b[31mb", "\ud800", "x" * 81])
async def test_what_cannot_be_shown_is_no_name(name: str) -> None:
    world = World()
    client = await signed_in(world, await an_owner(world))
    etag = (await client.get(f"{API}/account")).headers["etag"]
    content = json.dumps({"display_name": name}).encode()
    answer = await client.patch(f"{API}/account", content=content, headers={"if-match": etag, "content-type": "application/json"})
    assert answer.status_code == 400


@asvs("6.4.2", "6.4.6")
def test_no_hint_no_secret_question_and_no_password_from_staff(world: World) -> None:
    names = {
        (path, name)
        for path, handler in handlers(world)
        for item in handler.resolve_dependencies().values()
        if isinstance(item, FromBody)
        for name in item.kind.__struct_fields__
    }
    assert [one for one in names if re.search(r"hint|question|maiden|answer|birth", one[1])] == []
    assert [one for one in names if one[0].startswith(f"{API}/admin") and re.search(r"password|secret|code", one[1])] == []
    assert (f"{API}/auth/password-resets", "email") in names or [
        path for path, name in names if "reset" in path and name == "email"
    ]
