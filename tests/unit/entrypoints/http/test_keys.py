"""API keys that people make for themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.kernel.authz import Plan, Role
from tradingcore.testing.builders import an_actor

KEYS = "/api/v1/account/keys"


async def test_a_key_acts_for_its_maker_until_it_is_revoked(world: World) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader) as client:
        made = await client.post(KEYS, json={"name": "my laptop", "days": 30, "scopes": ["signals:read"]})
        check_against_document(world, made, "POST", KEYS)
        assert made.status_code == 201
        async with world.client(authorization=f"Bearer {made.json()['token']}") as by_key:
            assert (await by_key.get("/api/v1/trading/signals")).status_code == 200
            assert (await by_key.get("/api/v1/trading/symbols")).status_code == 403  # outside of its scopes
        listed = await client.get(KEYS)
        check_against_document(world, listed, "GET", KEYS)
        assert [key["name"] for key in listed.json()["data"]] == ["my laptop"]
        assert "token" not in listed.text
        assert made.json()["token"] not in listed.text
        assert (await client.delete(f"{KEYS}/{made.json()['id']}")).status_code == 204
        async with world.client(authorization=f"Bearer {made.json()['token']}") as by_key:
            assert (await by_key.get("/api/v1/trading/signals")).status_code == 401


@asvs("8.3.2")
async def test_what_an_account_loses_its_keys_lose_with_the_next_request(world: World) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader) as client:
        token = (await client.post(KEYS, json={"name": "bot"})).json()["token"]
    async with world.client(authorization=f"Bearer {token}") as by_key:
        assert (await by_key.get("/api/v1/trading/signals")).status_code == 200
        async with world.container.auth_uow()(an_actor()) as unit:
            account = await unit.accounts.get(trader.id)
            at = world.clock.now()
            account = await unit.accounts.save(account.with_rights(roles=account.roles, plan=Plan.FREE, by="test", at=at))
        assert (await by_key.get("/api/v1/trading/signals")).status_code == 403
        async with world.container.auth_uow()(an_actor()) as unit:
            await unit.accounts.save(account.frozen(by="test", at=world.clock.now()))
        assert (await by_key.get("/api/v1/trading/symbols")).status_code == 401


@asvs("7.5.1")
async def test_making_a_key_asks_for_a_recent_sign_in_and_for_the_plan(world: World) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader, age=timedelta(minutes=6)) as client:
        refused = await client.post(KEYS, json={"name": "bot"})
        check_against_document(world, refused, "POST", KEYS)
        assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")
        assert (await client.get(KEYS)).status_code == 200
    free = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.FREE)
    async with await signed_in(world, free) as client:
        assert (await client.post(KEYS, json={"name": "bot"})).status_code == 403


async def test_a_key_works_from_its_networks_only(world: World) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader) as client:
        here = (await client.post(KEYS, json={"name": "here", "networks": ["127.0.0.0/8"]})).json()["token"]
        there = (await client.post(KEYS, json={"name": "there", "networks": ["203.0.113.0/24", "2001:db8::/32"]})).json()["token"]
        wrong = await client.post(KEYS, json={"name": "wrong", "networks": ["203.0.113.7/24"]})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/networks/0")
    for token, status in ((here, 200), (there, 401)):
        async with world.client(authorization=f"Bearer {token}") as by_key:
            assert (await by_key.get("/api/v1/trading/symbols")).status_code == status


@asvs("15.3.3")
@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x", "days": 366}, {"name": "x", "role": "superadmin"}, {"name": "x", "scopes": ["all"]}, []],
)
async def test_a_wrong_body_makes_no_key(world: World, body: object) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader) as client:
        answer = await client.post(KEYS, json=body)
        check_against_document(world, answer, "POST", KEYS)
        assert answer.status_code == 400
        assert (await client.get(KEYS)).json()["data"] == []


async def test_a_key_is_not_made_for_what_no_key_may_do(world: World) -> None:
    trader = await an_owner(world, roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    async with await signed_in(world, trader) as client:
        refused = await client.post(KEYS, json={"name": "bot", "scopes": ["signals:read", "account:own", "users:manage"]})
        check_against_document(world, refused, "POST", KEYS)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/scopes")
        assert "account:own, users:manage" in refused.json()["detail"]
        assert "signals:read" not in refused.json()["detail"]
        assert (await client.get(KEYS)).json()["data"] == []
