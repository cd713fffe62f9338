"""Accounts over HTTP: the whole life of one, and answers that tell nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, settle, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.kernel.authz import Role
from tradingcore.testing.auth.builders import PASSWORD, an_address

NEW = "quite another sentence"
REGISTRATION = {"email": "ana@example.org", "password": PASSWORD, "display_name": "Ana", "locale": "es"}


@pytest.fixture(scope="module")
def one_world() -> World:
    """An application takes longer to build than all else that a test of this file does."""
    return World()


@pytest.fixture
async def world(one_world: World) -> World:
    """A day later, so that no limit is left from the test before, and with nothing to deliver."""
    one_world.clock.advance(timedelta(days=1))
    await settle(one_world)
    return one_world


async def post(world: World, path: str, body: Any, client: httpx.AsyncClient | None = None) -> httpx.Response:
    answer = await (client or world.client()).post(f"/api/v1{path}", json=body)
    if answer.content:
        check_against_document(world, answer, "POST", f"/api/v1{path}")
    return answer


async def mailed_token(world: World, template: str) -> str:
    ((sent, mail),) = await settle(world)
    assert sent == template
    return mail.values["token"]


async def test_account_lives_from_register_to_close(world: World) -> None:
    assert (await post(world, "/auth/register", REGISTRATION)).status_code == 202
    token = await mailed_token(world, "verify_address")
    assert (await post(world, "/auth/verify-address", {"token": token})).status_code == 204
    account = await world.container.account_lookup().by_email(an_address("ana"))
    client = await signed_in(world, account)
    read = await client.get("/api/v1/account")
    check_against_document(world, read, "GET", "/api/v1/account")
    assert (read.json()["email"], read.json()["status"], read.json()["roles"]) == ("ana@example.org", "active", ["investor"])

    changed = await client.patch(
        "/api/v1/account",
        json={"time_zone": "Europe/Madrid", "display_name": "Ana  P."},
        headers={"if-match": read.headers["etag"]},
    )
    check_against_document(world, changed, "PATCH", "/api/v1/account")
    assert (changed.json()["time_zone"], changed.json()["display_name"]) == ("Europe/Madrid", "Ana P.")

    answer = await post(world, "/account/password", {"old_password": PASSWORD, "new_password": NEW}, client)
    assert answer.status_code == 204
    assert (await client.get("/api/v1/account")).status_code == 401, "the access token holds the rights of before"
    await settle(world)

    client = await signed_in(world, world.database.user_accounts.rows[account.id])
    assert (await post(world, "/account/address-change", {"email": "new@example.org"}, client)).status_code == 202
    token = await mailed_token(world, "address_change_confirm")
    assert (await post(world, "/auth/address-change/confirm", {"token": token})).status_code == 204
    token = await mailed_token(world, "address_changed")
    assert (await post(world, "/auth/address-change/undo", {"token": token})).status_code == 204
    token = await mailed_token(world, "reset_password")
    assert (await post(world, "/auth/password-reset/confirm", {"token": token, "password": PASSWORD})).status_code == 204

    client = await signed_in(world, world.database.user_accounts.rows[account.id])
    events = await client.get("/api/v1/account/security-events?limit=3")
    check_against_document(world, events, "GET", "/api/v1/account/security-events")
    assert events.json()["data"][0]["type"] == "auth.password_changed"
    assert events.json()["page"]["has_more"]
    assert (await client.delete("/api/v1/account")).status_code == 204
    assert (await client.get("/api/v1/account")).status_code == 401


@asvs("6.3.8")
@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/auth/register", {"password": PASSWORD, "display_name": "A"}),
        ("/auth/verify-address/resend", {}),
        ("/auth/password-reset", {}),
        ("/account/address-change", {}),
    ],
)
async def test_answer_is_the_same_for_every_address(world: World, path: str, more: dict[str, str]) -> None:
    asker = await signed_in(world, await an_owner(world))
    here = path.replace("/", "-")
    await an_owner(world, f"known{here}")
    await post(world, "/auth/register", {**REGISTRATION, "email": f"claimed{here}@example.org"})
    await settle(world)
    asking = asker if path.startswith("/account") else world.client()
    seen = []
    for name in ("known", "claimed", "fresh", "known"):
        answer = await post(world, path, {"email": f"{name}{here}@example.org", **more}, asking)
        own = {name for name in answer.headers if name in ("x-request-id", "traceparent", "ratelimit")}
        headers = sorted((name, value) for name, value in answer.headers.items() if name not in own)
        seen.append((answer.status_code, answer.content, headers))
    assert seen == [seen[0]] * 4
    assert seen[0][0] == 202


@asvs("6.3.8")
async def test_a_limit_that_is_used_up_answers_like_any_other_request(world: World) -> None:
    for number in range(12):
        answer = await post(world, "/auth/register", {**REGISTRATION, "email": f"user{number}@example.org"})
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    for _ in range(7):
        answer = await post(world, "/auth/password-reset", {"email": "ana@example.org"})
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/verify-address", {}),
        ("/auth/address-change/confirm", {}),
        ("/auth/address-change/undo", {}),
        ("/auth/password-reset/confirm", {"password": NEW}),
    ],
)
async def test_wrong_token_is_refused_alike_everywhere(world: World, path: str, body: dict[str, str]) -> None:
    answers = [await post(world, path, {"token": token, **body}) for token in ("x", "a" * 43, "é" * 43)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, "auth.code_refused")] * 3
    assert len({answer.json()["detail"] for answer in answers}) == 1


@asvs("15.3.3")
@pytest.mark.parametrize("field", ["roles", "plan", "status", "verified_at", "id"])
async def test_nobody_gives_oneself_more_than_a_profile(world: World, field: str) -> None:
    answer = await post(world, "/auth/register", {**REGISTRATION, field: "superadmin"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    client = await signed_in(world, await an_owner(world))
    changed = await client.patch("/api/v1/account", json={field: "superadmin"}, headers={"if-match": '"v1"'})
    assert changed.status_code == 400


async def test_profile_change_names_what_it_is_a_change_of(world: World) -> None:
    client = await signed_in(world, await an_owner(world))
    body = {"locale": "en"}
    answers = [
        await client.patch("/api/v1/account", json=body),
        await client.patch("/api/v1/account", json=body, headers={"if-match": "*"}),
        await client.patch("/api/v1/account", json=body, headers={"if-match": '"v7"'}),
        await client.patch("/api/v1/account", json=body, headers={"if-match": '"v1"'}),
    ]
    assert [answer.status_code for answer in answers] == [428, 412, 412, 200]
    for answer in answers:
        check_against_document(world, answer, "PATCH", "/api/v1/account")
    again = await client.get("/api/v1/account", headers={"if-none-match": answers[-1].headers["etag"]})
    assert again.status_code == 304


@asvs("7.5.1")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/account/password", {"old_password": PASSWORD, "new_password": NEW}),
        ("POST", "/account/address-change", {"email": "new@example.org"}),
        ("DELETE", "/account", None),
    ],
)
async def test_what_decides_over_the_account_needs_a_recent_sign_in(world: World, method: str, path: str, body: Any) -> None:
    account = await an_owner(world)
    client = await signed_in(world, account, age=timedelta(minutes=6))
    answer = await client.request(method, f"/api/v1{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required")
    check_against_document(world, answer, method, f"/api/v1{path}")
    assert world.database.user_accounts.rows[account.id] == account


@asvs("8.2.1")
@pytest.mark.parametrize("who", [None, Role.TRADER])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/account", None),
        ("PATCH", "/account", {"locale": "en"}),
        ("DELETE", "/account", None),
        ("POST", "/account/password", {"old_password": PASSWORD, "new_password": NEW}),
        ("POST", "/account/address-change", {"email": "new@example.org"}),
        ("GET", "/account/security-events", None),
    ],
)
async def test_an_account_is_for_its_owner_and_no_api_key(
    world: World, method: str, path: str, body: Any, who: Role | None
) -> None:
    client = world.client() if who is None else await world.client_of(who)
    answer = await client.request(method, f"/api/v1{path}", json=body, headers={"if-match": '"v1"'})
    assert answer.status_code == (401 if who is None else 403)
    check_against_document(world, answer, method, f"/api/v1{path}")


@asvs("14.2.2")
async def test_account_is_not_kept_by_caches(world: World) -> None:
    client = await signed_in(world, await an_owner(world))
    assert (await client.get("/api/v1/account")).headers["cache-control"] == "no-store"
