"""What staff sees of accounts and does to them over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, settle, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.events import PersonalDataRead
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.session import EndReason
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.kernel.authz import Assurance, Role
from tradingcore.testing.builders import an_actor

USERS = "/api/v1/admin/users"


async def at_desk(world: World, role: Role = Role.ADMIN) -> httpx.AsyncClient:
    """A client of staff that has just shown two factors."""
    return await signed_in(world, await an_owner(world, roles=frozenset({role})), assurance=Assurance.AAL2)


async def with_authenticator(world: World, account: UserAccount) -> None:
    at = world.clock.now()
    async with world.container.auth_uow()(an_actor()) as unit:
        await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=at), b"s" * 20)
        assert await unit.totp_factors.confirm(account.id, step=1, at=at)


@asvs("8.2.3", "14.2.6")
async def test_a_list_masks_addresses_and_a_look_at_one_is_audited(world: World) -> None:
    customer = await an_owner(world, "ana")
    assert customer.email is not None
    client = await at_desk(world)
    listed = await client.get(USERS)
    check_against_document(world, listed, "GET", USERS)
    assert customer.email.text not in listed.text
    assert "a…@example.org" in [one["masked_email"] for one in listed.json()["data"]]
    looked = await client.get(f"{USERS}/{customer.id}")
    assert looked.json()["email"] == customer.email.text
    assert not {"password", "password_hash", "secret", "network"} & looked.json().keys()
    assert PersonalDataRead(occurred_at=world.clock.now(), user_id=customer.id) in [one.event for one, _, _ in world.database.audit]


@asvs("7.4.5", "7.4.2")
async def test_staff_ends_every_session_of_an_account(world: World) -> None:
    customer = await an_owner(world)
    sessions = [await signed_in(world, customer) for _ in range(2)]
    assert [(await one.get("/api/v1/account")).status_code for one in sessions] == [200, 200]
    answer = await (await at_desk(world)).delete(f"{USERS}/{customer.id}/sessions")
    assert answer.json() == {"ended": 2}
    assert [(await one.get("/api/v1/account")).status_code for one in sessions] == [401, 401]
    ended = [row for row in world.database.sessions.rows.values() if row.user_id == customer.id]
    assert {row.end_reason for row in ended} == {EndReason.REVOKED_BY_STAFF}


@asvs("6.4.4")
async def test_lost_factors_are_taken_away_by_staff_with_two_factors_and_the_owner_is_told(world: World) -> None:
    customer = await an_owner(world)
    await with_authenticator(world, customer)
    weak = await signed_in(world, await an_owner(world, roles=frozenset({Role.ADMIN})))
    assert (await weak.delete(f"{USERS}/{customer.id}/factors")).status_code == 403
    assert world.database.totp_factors.rows
    client = await at_desk(world)
    assert (await client.delete(f"{USERS}/{customer.id}/factors")).status_code == 204
    assert [template for template, _ in await settle(world)] == ["factor_removed"]
    assert (await client.get(f"{USERS}/{customer.id}")).json()["factors"] == []


@asvs("6.4.6")
async def test_staff_begins_a_reset_and_never_learns_what_comes_of_it(world: World) -> None:
    customer = await an_owner(world)
    assert customer.email is not None
    client = await at_desk(world)
    answer = await client.post("/api/v1/auth/password-reset", json={"email": customer.email.text})
    assert answer.status_code == 202
    assert [(template, payload.to) for template, payload in await settle(world)] == [("reset_password", customer.email.text)]
    assert "token" not in answer.text


@pytest.mark.parametrize("role", [Role.TRADER, Role.INVESTOR, Role.STUDENT])
@asvs("8.2.1")
async def test_customers_see_nobody(world: World, role: Role) -> None:
    client = await signed_in(world, await an_owner(world, roles=frozenset({role})), assurance=Assurance.AAL2)
    customer = await an_owner(world)
    for path in (USERS, f"{USERS}/{customer.id}"):
        assert (await client.get(path)).status_code == 403
