"""Passkeys over HTTP on PostgreSQL, over several applications: what must happen once does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.webauthn.ceremonies import WebauthnPasskeyCeremonies
from tests.asvs import asvs
from tests.authenticator import SoftwareAuthenticator
from tests.integration.limits.desk import SYSTEM, Desk, Person, desk_in_process
from tests.integration.postgres.server import TestServer, postgres_cluster
from tradingcore.testing.auth.passkeys import a_passkey

__all__ = ("postgres_cluster",)

shares_the_desk = pytest.mark.asyncio(loop_scope="module")
AT_ONCE = 12
ORIGIN = "http://localhost:8000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(postgres_cluster: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    database = await postgres_cluster.create_database()
    async with desk_in_process(database, tmp_path_factory.mktemp("desk")) as small:
        yield small
    await postgres_cluster.drop_database(database)


async def a_holder(desk: Desk, key: SoftwareAuthenticator) -> Person:
    """Somebody whose passkey is ``key``."""
    person = await desk.a_person()
    ceremonies: WebauthnPasskeyCeremonies = desk.container.passkey_ceremonies()
    challenge = bytes(32)
    options = ceremonies.creation_options(challenge=challenge, user_id=person.account.id, name="ana", known=())
    made = ceremonies.verify_creation(key.as_text(key.create(options)), challenge=challenge)
    passkey = a_passkey(person.account.id, credential_id=made.credential_id, public_key=made.public_key, sign_count=made.sign_count)
    async with desk.container.auth_uow()(SYSTEM) as unit:
        assert await unit.passkeys.add(passkey)
    return person


@asvs("6.5.1", "15.4.2")
@shares_the_desk
@pytest.mark.parametrize("counts", [True, False])
async def test_answer_of_a_passkey_that_is_sent_many_times_at_once_signs_in_once(desk: Desk, *, counts: bool) -> None:
    key = SoftwareAuthenticator(origin=ORIGIN, counts=counts)
    person = await a_holder(desk, key)
    started = (await desk.post("/auth/passkeys/options", {})).json()
    body = {"token": started["token"], "credential": key.get(started["options"])}
    answers = await asyncio.gather(*(desk.post("/auth/passkeys", body, network=number) for number in range(AT_ONCE)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 400, 409}
    assert await desk.counted(person, "auth.signed_in") == 1
    assert await desk.value("select count(*) from public.sessions where user_id = :user", user=person.account.id) == 1


@shares_the_desk
async def test_passkey_is_the_second_factor_of_a_password(desk: Desk) -> None:
    key = SoftwareAuthenticator(origin=ORIGIN, verifies_user=False)
    person = await a_holder(desk, key)
    asked = (await desk.post("/auth/sign-in", person.credentials)).json()["challenge"]
    assert asked["factors"] == ["passkey"]
    options = (await desk.post("/auth/challenges/passkey", {"challenge": asked["challenge"]})).json()["options"]
    body = {"challenge": asked["challenge"], "factor": "passkey", "proof": key.as_text(key.get(options))}
    opened = await desk.post("/auth/challenges", body)
    assert opened.status_code == 200, opened.text
    stored = "select sign_count from public.passkeys where user_id = :user"
    assert await desk.value(stored, user=person.account.id) == 1
