"""Second factors over HTTP: set up with a real authenticator library, asked for at sign-in, taken away again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pyotp
import pytest

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.events import MailRequested
from tradingcore.auth.model.account import UserAccount
from tradingcore.kernel.authz import Role
from tradingcore.testing.auth.builders import PASSWORD
from tradingcore.testing.builders import an_id

STEP = timedelta(seconds=30)


class Person:
    """An account with an authenticator app in the hand of its owner."""

    def __init__(self, world: World, account: UserAccount) -> None:
        self.world = world
        self.account = account
        self.client = world.client()
        self.app: pyotp.TOTP | None = None
        self.codes: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None, *, template: str | None = None) -> httpx.Response:
        answer = await self.client.request(method, f"/api/v1{path}", json=body)
        if answer.content:
            check_against_document(self.world, answer, method, f"/api/v1{template or path}")
        return answer

    def code(self) -> str:
        assert self.app is not None
        return self.app.at(self.world.clock.now())

    async def set_up(self) -> None:
        self.client = await signed_in(self.world, self.account)
        enrolled = await self.ask("POST", "/account/factors/totp")
        assert enrolled.status_code == 201, enrolled.text
        self.app = pyotp.parse_uri(enrolled.json()["uri"])  # type: ignore[assignment]  # also reads counters, which it is not
        confirmed = await self.ask("POST", "/account/factors/totp/confirmation", {"code": self.code()})
        assert confirmed.status_code == 200, confirmed.text
        self.codes = confirmed.json()["codes"]
        self.world.clock.advance(STEP)

    async def challenge(self, **more: str) -> str:
        assert self.account.email is not None
        self.client = self.world.client()
        asked = await self.ask("POST", "/auth/sign-in", {"email": self.account.email.text, "password": PASSWORD, **more})
        assert asked.json()["status"] == "factor_required", asked.text
        return str(asked.json()["challenge"]["challenge"])

    async def answer(self, challenge: str, proof: str, factor: str = "totp", **more: Any) -> httpx.Response:
        return await self.ask("POST", "/auth/challenges", {"challenge": challenge, "factor": factor, "proof": proof, **more})

    async def sign_in(self) -> None:
        answer = await self.answer(await self.challenge(), self.code())
        assert answer.status_code == 200, answer.text
        self.client = self.world.client(authorization=f"Bearer {answer.json()['tokens']['access_token']}")
        self.world.clock.advance(STEP)


@pytest.fixture(scope="module")
def world() -> World:
    """One for all: making it takes longer than a test, and each test has people of its own."""
    return World()


async def somebody(world: World, **overrides: Any) -> Person:
    """Signed in with the password alone, and without a factor."""
    person = Person(world, await an_owner(world, an_id().hex, **overrides))
    person.client = await signed_in(world, person.account)
    return person


async def a_person(world: World, **overrides: Any) -> Person:
    """Signed out, with a factor."""
    person = await somebody(world, **overrides)
    await person.set_up()
    return person


async def test_authenticator_lives_from_its_qr_code_to_its_end(world: World) -> None:
    person = await somebody(world)
    assert (await person.ask("GET", "/account/factors")).json() == {
        "totp": None,
        "passkeys": [],
        "backup_codes": {"left": 0, "is_low": False},
        "is_required": False,
    }
    enrolled = await person.ask("POST", "/account/factors/totp")
    assert ElementTree.fromstring(enrolled.json()["qr_svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    assert enrolled.headers["cache-control"] == "no-store"

    await person.set_up()
    assert len(set(person.codes)) == 10
    assert (await person.ask("GET", "/account/factors")).status_code == 401, "the access token holds the rights of before"
    await person.sign_in()
    found = (await person.ask("GET", "/account/factors")).json()
    assert (found["totp"] is not None, found["backup_codes"]["left"]) == (True, 10)

    fresh = await person.ask("POST", "/account/factors/backup-codes")
    assert fresh.status_code == 201
    assert not set(fresh.json()["codes"]) & set(person.codes)
    removed = await person.ask("DELETE", "/account/factors/totp")
    assert (removed.status_code, removed.content) == (204, b"")
    entries = [entry for queue in world.database.outbox.queues.values() for entry in queue]
    told = [entry.recorded.event.template for entry in entries if isinstance(entry.recorded.event, MailRequested)]
    assert [template for template in told if template != "new_device"] == ["factor_added", "factor_added", "factor_removed"]


@asvs("6.5.1")
async def test_right_code_sent_many_times_at_once_wins_once(world: World) -> None:
    person = await a_person(world)
    challenge = await person.challenge()
    answers = await asyncio.gather(*(person.answer(challenge, person.code()) for _ in range(5)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 400, 409}


async def test_used_code_and_wrong_code_answer_alike(world: World) -> None:
    person = await a_person(world)
    code = person.code()
    assert (await person.answer(await person.challenge(), code)).status_code == 200
    replayed = await person.answer(await person.challenge(), code)
    wrong = await person.answer(await person.challenge(), "987654")
    assert (replayed.status_code, replayed.json()["code"]) == (400, "auth.factor_refused")
    assert {**replayed.json(), "instance": ""} == {**wrong.json(), "instance": ""}


@asvs("6.5.8")
async def test_time_is_told_by_the_server_alone(world: World) -> None:
    person = await a_person(world)
    old, then = person.code(), world.clock.now()
    world.clock.advance(10 * STEP)
    challenge = await person.challenge()
    person.client = world.client(date=then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert (await person.answer(challenge, old)).json()["code"] == "auth.factor_refused"
    assert (await person.answer(challenge, person.code())).status_code == 200


async def test_backup_code_signs_in_once(world: World) -> None:
    person = await a_person(world)
    written = person.codes[0].lower().replace("-", " ")
    assert (await person.answer(await person.challenge(), written, "backup_code")).status_code == 200
    assert (await person.answer(await person.challenge(), written, "backup_code")).status_code == 400


async def test_guesses_end_the_challenge_and_then_the_patience(world: World) -> None:
    person = await a_person(world)
    challenge, spare = await person.challenge(), await person.challenge()
    statuses = [(await person.answer(challenge, "987654")).json()["code"] for _ in range(6)]
    assert statuses == ["auth.factor_refused"] * 5 + ["auth.challenge_ended"]
    refused = await person.answer(spare, person.code())
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert int(refused.headers["retry-after"]) > 0


async def test_one_factor_cannot_take_the_other_away(world: World) -> None:
    person = await a_person(world)
    stolen = Person(world, world.database.user_accounts.rows[person.account.id])
    stolen.client = await signed_in(world, stolen.account)
    for method, path in (("DELETE", "/account/factors/totp"), ("POST", "/account/factors/backup-codes")):
        refused = await stolen.ask(method, path)
        assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")


async def test_trusted_device_is_listed_and_forgotten(world: World) -> None:
    person = await a_person(world)
    answer = await person.answer(await person.challenge(), person.code(), trusts_device=True)
    token = answer.json()["trusted_device"]["token"]
    assert person.account.email is not None
    body = {"email": person.account.email.text, "password": PASSWORD, "trusted_device": token}
    again = await person.ask("POST", "/auth/sign-in", body)
    assert again.json()["status"] == "signed_in"
    person.client = world.client(authorization=f"Bearer {again.json()['tokens']['access_token']}")
    (device,) = (await person.ask("GET", "/account/devices")).json()["data"]
    path = f"/account/devices/{device['id']}"
    assert (await person.ask("DELETE", path)).status_code == 204
    assert (await person.ask("DELETE", path, template="/account/devices/{device_id}")).status_code == 404
    assert (await person.ask("GET", "/account/devices")).json()["data"] == []
    assert (await person.ask("POST", "/auth/sign-in", body)).json()["status"] == "factor_required"


async def test_device_of_another_account_is_not_found(world: World) -> None:
    owner, other = await a_person(world), await somebody(world)
    await owner.answer(await owner.challenge(), owner.code(), trusts_device=True)
    (device_id,) = [row.value.id for row in world.database.trusted_devices.groups[owner.account.id].values()]
    answer = await other.ask("DELETE", f"/account/devices/{device_id}", template="/account/devices/{device_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "auth.trusted_device_not_found")


@asvs("6.3.3")
async def test_admin_may_do_nothing_before_a_second_factor_was_shown(world: World) -> None:
    admin = await somebody(world, roles=frozenset({Role.ADMIN}))
    refused = await admin.ask("GET", "/trading/symbols")
    assert (refused.status_code, "second factor" in refused.json()["detail"]) == (403, True)
    assert (await admin.ask("GET", "/account/factors")).json()["is_required"] is True
    await admin.set_up()
    await admin.sign_in()
    assert (await admin.ask("GET", "/trading/symbols")).status_code == 200


@pytest.mark.parametrize("body", [{}, {"code": "1"}, {"code": 123456}, {"code": "123456", "more": 1}, {"code": "1" * 17}])
async def test_malformed_confirmation_is_refused(world: World, body: Any) -> None:
    person = await somebody(world)
    answer = await person.ask("POST", "/account/factors/totp/confirmation", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
