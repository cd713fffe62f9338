"""Whatever anybody sends to the routes about accounts, the answer is described and never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.testing.builders import an_actor

OPEN = [
    "/api/v1/auth/register",
    "/api/v1/auth/verify-address",
    "/api/v1/auth/verify-address/resend",
    "/api/v1/auth/password-reset",
    "/api/v1/auth/password-reset/confirm",
    "/api/v1/auth/address-change/confirm",
    "/api/v1/auth/address-change/undo",
]
OWN = ["/api/v1/account/password", "/api/v1/account/address-change"]
NAMES = [
    *("email", "password", "display_name", "locale", "time_zone", "token", "old_password", "new_password"),
    *("roles", "status", "is_verified", "", "__proto__", "email\x00"),
]
NASTY = [
    *("", "\x00", "a\x00b@example.org", "ana@example.org", "@", "ana@ex\uff0eample.org", "ana@[::1]", "a@b@c.org"),
    *("ana@" + "a." * 160, "ana@" + "é" * 70 + ".org", "ana@" + "." * 50, "ana@xn--a.org", "ana@-.org", "İ" * 64 + "@example.org"),
    *("x" * 2_000, "\U0001f426" * 300, "\ufdfa" * 1_000, "e\u0301" * 200, "\u202eabc", "ß" * 12, "\ud800"),
    *("\r\nBcc: x@example.org", "' or 1=1 --", "a" * 43, "en", "America/Mexico_City", "../../etc/passwd", "posix/UTC", "Etc"),
    "right/UTC",
]
SECRET = "correct horse battery staple"
TEXTS = st.sampled_from(NASTY) | st.text(max_size=40)
VALUES = TEXTS | st.none() | st.booleans() | st.integers() | st.lists(TEXTS, max_size=2) | st.dictionaries(TEXTS, TEXTS, max_size=2)
BODIES = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), VALUES, max_size=6)
NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["ana@example.org", "Ñandú@example.org", *NASTY]),
        "password": TEXTS | st.just(SECRET),
        "token": TEXTS,
        "old_password": TEXTS | st.just(SECRET),
        "new_password": TEXTS | st.just(SECRET),
        "display_name": TEXTS,
        "locale": st.sampled_from(["en", "es", "fr"]),
        "time_zone": TEXTS,
    },
)
NO_OBJECTS = [b'{"email":"\xff"}', b'{"email":"\\ud800"}', b"[" * 5_000, b"null", b"{", b""]
FIELDS = {
    "/api/v1/auth/register": {"email", "password", "display_name", "locale", "time_zone"},
    "/api/v1/auth/password-reset/confirm": {"token", "password"},
    "/api/v1/account/password": {"old_password", "new_password"},
}


class Callers:
    """Somebody unknown, and somebody who signs in for every call; their requests run in one loop."""

    def __init__(self) -> None:
        self.world = World()
        self._runner = asyncio.Runner()
        self._account = self._runner.run(an_owner(self.world))

    def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        # An hour later, because limits would end the test before it began.
        self.world.clock.advance(timedelta(hours=1))
        return self._runner.run(self._post(path, content, {"content-type": "application/json", **headers}))

    async def _post(self, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        async with await self._owner() if path in OWN else self.world.client() as client:
            return await client.post(path, content=content, headers=headers)

    async def _owner(self) -> httpx.AsyncClient:
        # As the account is now: an earlier body may have changed its password.
        async with self.world.container.auth_uow()(an_actor()) as unit:
            account = await unit.accounts.get(self._account.id)
        return await signed_in(self.world, account)

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def callers() -> Iterator[Callers]:
    found = Callers()
    yield found
    found.close()


def check(callers: Callers, answer: httpx.Response, path: str) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code == 204:
        return
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert SECRET not in answer.text
    check_against_document(callers.world, answer, "POST", path)


@asvs("2.2.1", "15.3.3")
@pytest.mark.parametrize("path", OPEN + OWN)
@settings(max_examples=25, deadline=None)
@given(body=BODIES | NEARLY_RIGHT)
def test_any_body_gets_a_described_answer(callers: Callers, path: str, body: dict[str, Any]) -> None:
    check(callers, callers.post(path, json.dumps(body).encode()), path)


@pytest.mark.parametrize("path", OPEN + OWN)
@settings(max_examples=15, deadline=None)
@given(body=NEARLY_RIGHT)
def test_a_body_of_the_right_fields_gets_past_its_form(callers: Callers, path: str, body: dict[str, Any]) -> None:
    wanted = FIELDS.get(path, {"token"} if path.endswith(("confirm", "undo", "verify-address")) else {"email"})
    defaults = {"email": "ana@example.org", "password": "x", "token": "a" * 43, "new_password": "x"}
    right = {name: body.get(name, defaults.get(name)) for name in wanted if name in body or name in defaults}
    check(callers, callers.post(path, json.dumps(right, ensure_ascii=False).encode("utf-8", "surrogatepass")), path)


@pytest.mark.parametrize("path", OPEN + OWN)
@settings(max_examples=8, deadline=None)
@given(
    content=st.binary(max_size=60)
    | st.sampled_from([b'{"email":"\xff"}', b'{"email":"\\ud800"}', b"[" * 5_000, b"null", b"{", b""])
)
def test_what_is_no_json_object_is_refused(callers: Callers, path: str, content: bytes) -> None:
    answer = callers.post(path, content)
    assert answer.status_code in (400, 413)
    check(callers, answer, path)


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_a_form_of_another_site_is_refused(callers: Callers, path: str, kind: str) -> None:
    answer = callers.post(path, b'{"email":"ana@example.org"}', **{"content-type": kind})
    assert answer.status_code == 415
    check(callers, answer, path)
