"""Passkeys over HTTP, with an authenticator in software that has real keys."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from tests.asvs import asvs
from tests.authenticator import SoftwareAuthenticator
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.passkey import CEREMONY_LIFETIME, MOST_PASSKEYS
from tradingcore.testing.auth.builders import PASSWORD
from tradingcore.testing.auth.passkeys import a_passkey
from tradingcore.testing.builders import an_actor, an_id

ORIGIN = "http://localhost:8000"
"""That of an installation whose public address is http://127.0.0.1:8000."""


@dataclass
class Person:
    world: World
    account: UserAccount
    client: httpx.AsyncClient
    key: SoftwareAuthenticator = field(default_factory=lambda: SoftwareAuthenticator(origin=ORIGIN))
    codes: list[str] = field(default_factory=list)
    passkey_id: str = ""

    async def ask(self, method: str, path: str, body: Any = None, *, template: str | None = None) -> httpx.Response:
        answer = await self.client.request(method, f"/api/v1{path}", json=body)
        if answer.content:
            check_against_document(self.world, answer, method, f"/api/v1{template or path}")
        return answer

    async def make(self, key: SoftwareAuthenticator, *, label: str = "my phone") -> httpx.Response:
        started = (await self.ask("POST", "/account/factors/passkeys/options")).json()
        body = {"token": started["token"], "label": label, "credential": key.create(started["options"])}
        return await self.ask("POST", "/account/factors/passkeys", body)

    async def set_up(self) -> None:
        made = await self.make(self.key)
        assert made.status_code == 201, made.text
        self.codes, self.passkey_id = made.json()["backup_codes"], made.json()["passkey"]["id"]
        self.client = self.world.client()

    async def start(self) -> dict[str, Any]:
        started: dict[str, Any] = (await self.ask("POST", "/auth/passkeys/options")).json()
        return started

    async def finish(self, started: dict[str, Any], credential: dict[str, Any]) -> httpx.Response:
        return await self.ask("POST", "/auth/passkeys", {"token": started["token"], "credential": credential})

    async def sign_in(self, key: SoftwareAuthenticator | None = None, **client_data: Any) -> httpx.Response:
        self.client = self.world.client()
        started = await self.start()
        answer = await self.finish(started, (key or self.key).get(started["options"], **client_data))
        if answer.status_code == 200:
            self.client = self.world.client(authorization=f"Bearer {answer.json()['tokens']['access_token']}")
        return answer

    async def challenge(self) -> str:
        assert self.account.email is not None
        self.client = self.world.client()
        asked = await self.ask("POST", "/auth/sign-in", {"email": self.account.email.text, "password": PASSWORD})
        assert asked.json()["status"] == "factor_required", asked.text
        return str(asked.json()["challenge"]["challenge"])


@pytest.fixture(scope="module")
def world() -> World:
    """One for all: making it takes longer than a test, and each test has people of its own."""
    return World()


async def somebody(world: World, **overrides: Any) -> Person:
    account = await an_owner(world, an_id().hex, **overrides)
    return Person(world, account, await signed_in(world, account))


async def a_person(world: World) -> Person:
    """Signed out, with a passkey."""
    person = await somebody(world)
    await person.set_up()
    return person


async def test_passkey_lives_from_its_making_to_its_end(world: World) -> None:
    person = await a_person(world)
    assert len(set(person.codes)) == 10, "codes come with the first factor"
    assert (await person.sign_in()).json()["status"] == "signed_in"
    (found,) = (await person.ask("GET", "/account/factors")).json()["passkeys"]
    assert (found["id"], found["label"], found["is_synced"]) == (person.passkey_id, "my phone", False)
    assert found["last_used_at"] is not None

    second = SoftwareAuthenticator(origin=ORIGIN, counts=False, is_synced=True)
    made = await person.make(second, label="my laptop")
    assert (made.status_code, made.json()["backup_codes"]) == (201, [])
    assert (await person.ask("GET", "/account/factors")).status_code == 401, "the access token holds the rights of before"

    assert (await person.sign_in(second)).status_code == 200
    path = f"/account/factors/passkeys/{person.passkey_id}"
    assert (await person.ask("PATCH", path, {"label": "my old phone"})).status_code == 204
    assert (await person.ask("DELETE", path)).status_code == 204
    assert (await person.sign_in(second)).status_code == 200
    (left,) = (await person.ask("GET", "/account/factors")).json()["passkeys"]
    assert left["label"] == "my laptop"
    assert (await person.sign_in(person.key)).json()["code"] == "auth.factor_refused"


async def test_passkey_answers_a_challenge(world: World) -> None:
    person = await a_person(world)
    challenge = await person.challenge()
    options = (await person.ask("POST", "/auth/challenges/passkey", {"challenge": challenge})).json()["options"]
    assert len(options["allowCredentials"]) == 1
    # A touch is enough here: the password was the other factor.
    person.key.verifies_user = False
    proof = httpx.Response(200, json=person.key.get(options)).text
    body = {"challenge": challenge, "factor": "passkey", "proof": proof}
    answers = [await person.ask("POST", "/auth/challenges", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["code"] == "auth.challenge_ended"


async def test_passkey_answers_its_own_challenge_only(world: World) -> None:
    person = await a_person(world)
    first, second = await person.challenge(), await person.challenge()
    options = (await person.ask("POST", "/auth/challenges/passkey", {"challenge": first})).json()["options"]
    proof = httpx.Response(200, json=person.key.get(options)).text
    refused = await person.ask("POST", "/auth/challenges", {"challenge": second, "factor": "passkey", "proof": proof})
    assert (refused.status_code, refused.json()["code"]) == (400, "auth.factor_refused")
    assert (await person.ask("POST", "/auth/challenges/passkey", {"challenge": "A" * 43})).json()["code"] == "auth.challenge_ended"


@asvs("6.5.1")
async def test_answer_that_is_sent_many_times_at_once_signs_in_once(world: World) -> None:
    person = await a_person(world)
    person.key.counts = False
    started = await person.start()
    credential = person.key.get(started["options"])
    answers = await asyncio.gather(*(person.finish(started, credential) for _ in range(4)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 400, 409}
    assert (await person.finish(started, credential)).json()["code"] == "auth.challenge_ended"


async def test_ceremony_that_took_too_long_is_over(world: World) -> None:
    person = await a_person(world)
    started = await person.start()
    credential = person.key.get(started["options"])
    world.clock.advance(CEREMONY_LIFETIME)
    assert (await person.finish(started, credential)).json()["code"] == "auth.challenge_ended"


async def test_touch_alone_is_no_sign_in(world: World) -> None:
    person = await a_person(world)
    person.key.verifies_user = False
    assert (await person.sign_in()).json()["code"] == "auth.factor_refused"


async def test_copied_key_is_found_out_by_its_counter(world: World) -> None:
    person = await a_person(world)
    copy = replace(person.key)
    assert (await person.sign_in()).status_code == 200
    assert (await person.sign_in(copy)).json()["code"] == "auth.factor_refused"


@pytest.mark.parametrize("origin", ["https://localhost:8000", "http://localhost:8001", "http://evil.test"])
async def test_page_of_somebody_else_gets_nowhere(world: World, origin: str) -> None:
    person = await a_person(world)
    person.key.origin = origin
    assert (await person.sign_in()).json()["code"] == "auth.factor_refused"


async def test_unknown_key_and_wrong_key_answer_alike(world: World) -> None:
    person, stranger = await a_person(world), SoftwareAuthenticator(origin=ORIGIN)
    unknown = await person.sign_in(stranger)
    stranger.credential_id = person.key.credential_id
    wrong = await person.sign_in(stranger)
    assert {**unknown.json(), "instance": ""} == {**wrong.json(), "instance": ""}
    assert unknown.status_code == 400


async def test_token_of_one_session_makes_no_passkey_in_another(world: World) -> None:
    person = await somebody(world)
    started = (await person.ask("POST", "/account/factors/passkeys/options")).json()
    body = {"token": started["token"], "label": "x", "credential": person.key.create(started["options"])}
    person.client = await signed_in(world, person.account)
    assert (await person.ask("POST", "/account/factors/passkeys", body)).json()["code"] == "auth.challenge_ended"
    sign_in = await person.start()
    body = {**body, "token": sign_in["token"]}
    assert (await person.ask("POST", "/account/factors/passkeys", body)).json()["code"] == "auth.challenge_ended"


async def test_known_key_is_not_stored_again(world: World) -> None:
    owner, other = await a_person(world), await somebody(world)
    assert (await other.make(owner.key)).json()["code"] == "auth.factor_exists"


async def test_password_alone_takes_no_passkey_away(world: World) -> None:
    person = await a_person(world)
    account = world.database.user_accounts.rows[person.account.id]
    person.client = await signed_in(world, account)
    refused = await person.ask(
        "DELETE", f"/account/factors/passkeys/{person.passkey_id}", template="/account/factors/passkeys/{passkey_id}"
    )
    assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")
    assert (await person.ask("POST", "/account/factors/passkeys/options")).json()["code"] == "step_up_required"


async def test_passkey_of_another_account_is_not_found(world: World) -> None:
    owner, other = await a_person(world), await a_person(world)
    await other.sign_in()
    path, template = f"/account/factors/passkeys/{owner.passkey_id}", "/account/factors/passkeys/{passkey_id}"
    assert (await other.ask("PATCH", path, {"label": "mine"}, template=template)).status_code == 404
    assert (await other.ask("DELETE", path, template=template)).status_code == 404
    assert (await owner.sign_in()).status_code == 200


async def test_there_is_an_end_to_passkeys(world: World) -> None:
    person = await a_person(world)
    async with world.container.auth_uow()(an_actor()) as unit:
        for _ in range(MOST_PASSKEYS - 1):
            await unit.passkeys.add(a_passkey(person.account.id))
    await person.sign_in()
    assert (await person.ask("POST", "/account/factors/passkeys/options")).json()["code"] == "rule_violation"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x", "credential": []},
        {"token": "x" * 600, "credential": {}},
        {"token": "é", "credential": {}},
        {"token": "1.AAAA", "credential": {"id": "x" * 20_000}},
    ],
    ids=str,
)
async def test_malformed_sign_in_is_refused(world: World, body: Any) -> None:
    answer = await world.client().post("/api/v1/auth/passkeys", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("invalid_input", "auth.challenge_ended")
