"""Sessions over HTTP: tokens in the body or in cookies, whom a cookie convinces, and what a recent sign-in is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from dependency_injector import providers
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.routes import HTTPRoute

from adapters.memory.auth.passwords import MemoryPasswordHasher
from entrypoints.http.cookies import GUARD_HEADER, PATHS_WITH_COOKIES
from entrypoints.http.openapi import is_open
from entrypoints.http.options import HttpSettings
from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.test_header_matrix import routes
from tests.unit.entrypoints.http.world import ORIGIN, World
from tradingcore.testing.auth.builders import PASSWORD, an_address
from tradingcore.testing.builders import an_id

AUTH = "/api/v1/auth"
SIGN_IN = {"email": "ana@example.org", "password": PASSWORD}
OWN = "https://api.example"
OUR_PAGE = {"origin": ORIGIN, "sec-fetch-site": "same-site", GUARD_HEADER: "1"}
NO_CONTENT = 204


def a_world(public_url: str = OWN, environment: str = "production") -> World:
    found = World(
        settings=HttpSettings(
            cursor_key=b"c" * 32,
            pseudonym_key=b"p" * 32,
            allowed_origins=frozenset({ORIGIN}),
            public_url=public_url,
            environment=environment,
        )
    )
    found.container.password_hasher.override(providers.Object(MemoryPasswordHasher()))
    return found


@pytest.fixture(scope="module")
def one_world() -> World:
    return a_world()


@pytest.fixture
async def world(one_world: World) -> World:
    """A day later, and with an account of its own."""
    one_world.clock.advance(timedelta(days=1))
    if await one_world.container.account_lookup().by_email(an_address("ana")) is None:
        await an_owner(one_world, "ana")
    return one_world


async def post(world: World, path: str, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    async with world.client(**(headers or {})) as client:
        answer = await client.post(f"{AUTH}{path}", json=body)
    assert answer.status_code == status, answer.text
    if answer.content:
        check_against_document(world, answer, "POST", f"{AUTH}{path}")
    return answer


async def tokens_of(world: World, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await post(world, "/sign-in", SIGN_IN | more)).json()
    assert body["status"] == "signed_in"
    tokens: dict[str, Any] = body["tokens"]
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


def cookie_of(answer: httpx.Response, name: str) -> str:
    (line,) = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return line


@asvs("7.2.1", "14.3.2")
async def test_somebody_signs_in_reads_refreshes_and_signs_out(world: World) -> None:
    tokens = await tokens_of(world)
    async with world.client(**bearer(tokens)) as client:
        listed = await client.get(f"{AUTH}/sessions")
        check_against_document(world, listed, "GET", f"{AUTH}/sessions")
        assert [one["is_current"] for one in listed.json()["data"]].count(True) == 1
        assert listed.headers["cache-control"] == "no-store"
    fresh = (await post(world, "/refresh", {"refresh_token": tokens["refresh_token"]})).json()
    assert fresh["session_id"] == tokens["session_id"]
    async with world.client(**bearer(fresh)) as client:
        assert (await client.post(f"{AUTH}/sign-out", json={})).status_code == NO_CONTENT
        assert (await client.get(f"{AUTH}/sessions")).status_code == 401
    refused = await post(world, "/refresh", {"refresh_token": fresh["refresh_token"]}, status=401)
    assert refused.json()["code"] == "auth.credential_refused"


@asvs("6.3.8")
async def test_a_refused_sign_in_says_nothing_of_the_address(world: World) -> None:
    said = set()
    for email in ("ana@example.org", "nobody@example.org"):
        body = {"email": email, "password": "wrong horse battery staple"}
        answer = await post(world, "/sign-in", body, status=401)
        problem = answer.json() | {"instance": ""}
        said.add((json.dumps(problem), tuple(sorted(set(answer.headers) - {"date"})), answer.headers["content-length"]))
    assert len(said) == 1


@asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
async def test_a_cookie_keeps_the_refresh_token_out_of_the_body(world: World) -> None:
    answer = await post(world, "/sign-in", SIGN_IN | {"delivery": "cookie"}, headers=OUR_PAGE)
    assert answer.json()["tokens"]["refresh_token"] is None
    line = cookie_of(answer, "__Host-rt")
    attributes = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/", "max-age=604800"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    token = line.partition("=")[2].partition(";")[0]
    refreshed = await post(world, "/refresh", {}, headers={"cookie": f"__Host-rt={token}", **OUR_PAGE})
    assert refreshed.json()["refresh_token"] is None
    token = cookie_of(refreshed, "__Host-rt").partition("=")[2].partition(";")[0]
    async with world.client(cookie=f"__Host-rt={token}", **OUR_PAGE) as client:
        left = await client.post(f"{AUTH}/sign-out", json={})
    assert left.status_code == NO_CONTENT
    assert "max-age=0" in cookie_of(left, "__Host-rt").lower()
    await post(world, "/refresh", {}, status=401, headers={"cookie": f"__Host-rt={token}", **OUR_PAGE})


async def test_plain_http_in_development_has_cookies_of_another_name() -> None:
    world = a_world("http://127.0.0.1:8000", "development")
    await an_owner(world, "ana")
    page = OUR_PAGE | {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    line = cookie_of(await post(world, "/sign-in", SIGN_IN | {"delivery": "cookie"}, headers=page), "tradingcore-rt")
    assert "secure" not in line.lower()
    assert "samesite=strict" in line.lower()
    await post(world, "/refresh", {}, headers={"cookie": line.partition(";")[0], **page})


@asvs("3.5.1", "3.5.2", "3.5.3")
@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": None},
        {"origin": "https://app.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": None},
        {GUARD_HEADER: None},
        {GUARD_HEADER: ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/sign-in", "/refresh", "/sign-out"])
async def test_a_page_of_somebody_else_gets_nothing_by_a_cookie(world: World, path: str, change: dict[str, str | None]) -> None:
    token = (await tokens_of(world))["refresh_token"]
    headers = {name: value for name, value in (OUR_PAGE | change).items() if value is not None}
    body = SIGN_IN | {"delivery": "cookie"} if path == "/sign-in" else {}
    refused = await post(world, path, body, status=403, headers={"cookie": f"__Host-rt={token}", **headers})
    assert refused.json()["code"] == "origin_refused"
    assert "set-cookie" not in refused.headers
    await post(world, "/refresh", {"refresh_token": token})


@asvs("3.5.1")
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
async def test_a_form_gets_nothing_by_a_cookie(world: World, media_type: str) -> None:
    token = (await tokens_of(world))["refresh_token"]
    async with world.client(cookie=f"__Host-rt={token}", **OUR_PAGE, **{"content-type": media_type}) as client:
        assert (await client.post(f"{AUTH}/refresh", content=b"{}")).status_code == 415
    await post(world, "/refresh", {"refresh_token": token})


@asvs("3.5.1", "4.1.1", "8.3.1")
async def test_no_other_route_answers_to_a_cookie(world: World) -> None:
    token = (await tokens_of(world))["refresh_token"]
    asked = 0
    for method, path in routes(world):
        if not path.startswith("/api/") or path in (f"{AUTH}/refresh", f"{AUTH}/sign-out"):
            continue
        async with world.client(**OUR_PAGE) as client:
            without = await client.request(method, path, json={})
            answer = await client.request(method, path, json={}, headers={"cookie": f"__Host-rt={token}"})
        assert answer.status_code == without.status_code, (method, path)
        if not may_be_called_by_anybody(world, method, path):
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
            asked += 1
    assert asked > 40
    await post(world, "/refresh", {"refresh_token": token})


def may_be_called_by_anybody(world: World, method: str, path: str) -> bool:
    for route in world.app.routes:
        pieces, parts = route.path_format.split("/"), path.split("/")
        is_same = len(pieces) == len(parts) and all(
            one in (other, f"{{{one[1:-1]}}}") for one, other in zip(pieces, parts, strict=True)
        )
        if isinstance(route, HTTPRoute) and is_same:
            return any(is_open(handler) for handler in route.route_handlers if method in handler.http_methods)
    raise AssertionError(f"no route {method} {path}")


@asvs("3.4.2")
@pytest.mark.parametrize("path", sorted(PATHS_WITH_COOKIES))
async def test_pages_of_allowed_origins_may_send_cookies_there_and_nowhere_else(world: World, path: str) -> None:
    asking = {"access-control-request-method": "POST", "access-control-request-headers": f"content-type, {GUARD_HEADER}"}
    async with world.client() as client:
        ours = await client.options(path, headers={"origin": ORIGIN, **asking})
        assert ours.headers["access-control-allow-credentials"] == "true"
        assert GUARD_HEADER in ours.headers["access-control-allow-headers"]
        theirs = await client.options(path, headers={"origin": "https://evil.example", **asking})
        assert "access-control-allow-credentials" not in theirs.headers
        elsewhere = await client.options("/api/v1/trading/signals", headers={"origin": ORIGIN, **asking})
        assert "access-control-allow-credentials" not in elsewhere.headers


@asvs("10.4.9")
async def test_sessions_are_listed_and_ended(world: World) -> None:
    here, there, third = await tokens_of(world), await tokens_of(world), await tokens_of(world)
    async with world.client(**bearer(here)) as client:
        ended = await client.delete(f"{AUTH}/sessions/{there['session_id']}")
        assert ended.status_code == NO_CONTENT
        foreign = await client.delete(f"{AUTH}/sessions/{an_id()}")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "auth.session_not_found")
        others = await client.delete(f"{AUTH}/sessions?keep=current")
        check_against_document(world, others, "DELETE", f"{AUTH}/sessions")
        assert (await client.get(f"{AUTH}/sessions")).json()["data"][0]["id"] == here["session_id"]
        assert (await client.delete(f"{AUTH}/sessions")).json() == {"ended": 1}
        assert (await client.get(f"{AUTH}/sessions")).status_code == 401
    for gone in (there, third):
        await post(world, "/refresh", {"refresh_token": gone["refresh_token"]}, status=401)


@asvs("7.5.1", "10.3.4")
async def test_a_sensitive_call_asks_for_a_recent_sign_in(world: World) -> None:
    tokens = await tokens_of(world)
    world.clock.advance(timedelta(minutes=6))
    async with world.client(**bearer(tokens)) as client:
        asked = await client.post("/api/v1/account/factors/totp")
    assert (asked.status_code, asked.json()["code"]) == (401, "step_up_required")
    assert asked.headers["www-authenticate"] == (
        'Bearer realm="tradingcore", error="insufficient_user_authentication", acr_values="aal1", max_age="300"'
    )
    wrong = await post(world, "/step-up/password", {"password": "not this one at all"}, status=400, headers=bearer(tokens))
    assert (wrong.json()["code"], "www-authenticate" in wrong.headers) == ("auth.password_wrong", False)
    renewed = (await post(world, "/step-up/password", {"password": PASSWORD}, headers=bearer(tokens))).json()
    async with world.client(**bearer(renewed)) as client:
        assert (await client.post("/api/v1/account/factors/totp")).status_code == 201


@asvs("6.5.1", "6.6.3")
async def test_a_second_factor_from_a_real_authenticator() -> None:
    world = a_world()
    await an_owner(world, "ana")
    tokens = await tokens_of(world)
    async with world.client(**bearer(tokens)) as client:
        secret = (await client.post("/api/v1/account/factors/totp")).json()["secret"]
        code = pyotp.TOTP(secret).at(world.clock.now())
        confirmed = await client.post("/api/v1/account/factors/totp/confirmation", json={"code": code})
        assert confirmed.status_code == 200
    world.clock.advance(timedelta(seconds=60))
    asked = (await post(world, "/sign-in", SIGN_IN)).json()
    assert (asked["status"], asked["tokens"], asked["challenge"]["factors"]) == ("factor_required", None, ["backup_code", "totp"])
    challenge = asked["challenge"]["challenge"]
    wrong = {"challenge": challenge, "factor": "totp", "proof": "000000"}
    assert (await post(world, "/challenges", wrong, status=400)).json()["code"] == "auth.factor_refused"
    right = wrong | {"proof": pyotp.TOTP(secret).at(world.clock.now()), "trusts_device": True, "delivery": "cookie"}
    answer = await post(world, "/challenges", right, headers=OUR_PAGE)
    assert (answer.json()["status"], answer.json()["trusted_device"]["token"]) == ("signed_in", None)
    device = cookie_of(answer, "__Host-td").partition(";")[0]
    again = await post(world, "/sign-in", SIGN_IN, headers={"cookie": device})
    assert again.json()["status"] == "signed_in"
    assert (await post(world, "/challenges", right, status=400, headers=OUR_PAGE)).json()["code"] == "auth.challenge_ended"
    me = bearer(answer.json()["tokens"])
    world.clock.advance(timedelta(minutes=6))
    assert (await post(world, "/step-up/password", {"password": PASSWORD}, status=422, headers=me)).json()[
        "code"
    ] == "auth.factor_needed"
    async with world.client(**me) as client:
        opened = (await client.post(f"{AUTH}/step-up/challenges")).json()
    proof = {"challenge": opened["challenge"], "factor": "totp", "proof": pyotp.TOTP(secret).at(world.clock.now())}
    await post(world, "/step-up/factor", proof, headers=me)


async def test_too_many_guesses_are_refused_with_a_time(world: World) -> None:
    for _ in range(5):
        await post(world, "/sign-in", {"email": "eve@example.org", "password": "wrong horse battery"}, status=401)
    refused = await post(world, "/sign-in", {"email": "eve@example.org", "password": "wrong horse battery"}, status=429)
    assert int(refused.headers["retry-after"]) > 0


@asvs("7.4.1", "9.1.1", "9.2.1")
@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "tc_", "tc_dev_1_2", "A" * 4096, "A" * 5000, "é", "a b", "..", "\\u0000"],
)
async def test_malformed_tokens_are_refused(world: World, token: str) -> None:
    async with world.client() as client:
        answer = await client.get(f"{AUTH}/sessions", headers=[(b"authorization", b"Bearer " + token.encode("utf-8"))])
    assert answer.status_code == 401
    assert answer.json()["code"] in ("auth.credential_refused", "unauthenticated")


class Fuzzed:
    """One application, and one loop that all requests run in."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.world = a_world()
        self.runner.run(an_owner(self.world, "ana"))
        self.tokens = self.runner.run(tokens_of(self.world))

    def post(self, path: str, body: bytes) -> httpx.Response:
        async def ask() -> httpx.Response:
            headers = {"content-type": "application/json", **(bearer(self.tokens) if "step-up" in path else {})}
            async with self.world.client(**headers) as client:
                return await client.post(f"{AUTH}{path}", content=body)

        return self.runner.run(ask())


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    found = Fuzzed()
    yield found
    found.runner.close()


NASTY = st.text(max_size=60) | st.sampled_from(
    [
        "",
        "\x00",
        "A" * 43,
        "\ufdfa" * 300,
        "e\u0301" * 200,
        "ana@example.org",
        "x" * 1100,
        "{}",
        "totp",
        "passkey",
        "backup_code",
        "cookie",
    ]
)
VALUES = NASTY | st.none() | st.booleans() | st.integers() | st.lists(NASTY, max_size=2) | st.dictionaries(NASTY, NASTY, max_size=2)
FIELDS = [
    "email",
    "password",
    "delivery",
    "trusted_device",
    "work",
    "challenge",
    "factor",
    "proof",
    "trusts_device",
    "refresh_token",
]
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), VALUES, max_size=6).map(
    lambda body: json.dumps(body).encode()
)


@asvs("2.2.1", "15.3.3")
@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(["/sign-in", "/challenges", "/refresh", "/sign-out", "/step-up/password", "/step-up/factor"]),
    body=BODIES | st.binary(max_size=60) | st.sampled_from([b'{"email":"\\ud800"}', b"[" * 5_000, b"null", b"{", b""]),
)
def test_whatever_is_sent_the_answer_is_described(fuzzed: Fuzzed, path: str, body: bytes) -> None:
    answer = fuzzed.post(path, body)
    assert answer.status_code < 500, answer.text
    if answer.content:
        check_against_document(fuzzed.world, answer, "POST", f"{AUTH}{path}")
