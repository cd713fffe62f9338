"""What the database itself refuses to whoever may write the row of an account: more rights for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.keys import PostgresAuthUnits
from tests.asvs import asvs
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase, TestServer, run_apart
from tradingcore.auth.events import EVENTS
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.kernel.authz import Actor, Permission, Plan, Role
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import SequentialIds

CODEC = EventCodec(EVENTS)
MORE: tuple[dict[str, Any], ...] = (
    {"roles": frozenset({Role.TRADER, Role.ADMIN})},
    {"roles": frozenset({Role.SUPERADMIN})},
    {"plan": Plan.PRO},
)
LESS: tuple[dict[str, Any], ...] = (
    {"roles": frozenset({Role.TRADER})},
    {"roles": frozenset({Role.INVESTOR})},
    {"plan": Plan.FREE},
    {"status": AccountStatus.FROZEN},
)


@pytest.fixture(scope="module")
def database(postgres_cluster: TestServer) -> Iterator[TestDatabase]:
    shared = run_apart(postgres_cluster.create_database())
    yield shared
    run_apart(postgres_cluster.drop_database(shared))


@pytest.fixture
def units(api_engine: AsyncEngine) -> PostgresAuthUnits:
    return PostgresAuthUnits(api_engine, CODEC, SequentialIds(), SEALER)


@pytest.fixture
def platform_units(worker_engine: AsyncEngine) -> PostgresAuthUnits:
    return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)


async def written(units: PostgresAuthUnits, actor: Actor, account: UserAccount, **change: Any) -> UserAccount:
    async with units(actor) as unit:
        return await unit.accounts.save(replace(account, **change))


@asvs("8.2.1")
async def test_no_bug_in_a_use_case_gives_an_account_more_rights(
    units: PostgresAuthUnits, platform_units: PostgresAuthUnits
) -> None:
    stored = await written(platform_units, an_actor(), an_account(roles=frozenset({Role.TRADER}), plan=Plan.BASIC))
    owner = the_owner_of(stored)
    admin = replace(owner, permissions=frozenset({Permission.USERS_MANAGE}))
    for change in MORE:
        for actor in (owner, admin):
            with pytest.raises(PermissionDenied):
                await written(units, actor, stored, **change)
    for change in LESS:
        stored = await written(units, owner, stored, **change)
    with pytest.raises(PermissionDenied):
        await written(units, owner, stored, status=AccountStatus.ACTIVE)
    stored = await written(units, admin, stored, status=AccountStatus.ACTIVE)
    superadmin = replace(admin, permissions=frozenset({Permission.USERS_MANAGE, Permission.ROLES_MANAGE}))
    await written(units, superadmin, stored, **MORE[0])


async def test_an_account_begins_with_the_first_role_and_plan(units: PostgresAuthUnits) -> None:
    for more in MORE:
        account = an_account(**more)
        with pytest.raises(PermissionDenied):
            await written(units, replace(the_owner_of(account), permissions=frozenset()), account)
    account = an_account()
    await written(units, the_owner_of(account), account)
