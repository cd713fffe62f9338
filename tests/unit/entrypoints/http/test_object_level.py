"""Every operation that takes an id: what belongs to another user does not exist, for anybody (security.md, G5)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from tests.asvs import asvs
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.model.account import UserAccount
from tradingcore.kernel.authz import Assurance, Role
from tradingcore.testing.auth.builders import the_owner_of
from tradingcore.testing.auth.challenges import a_trusted_device
from tradingcore.testing.auth.identities import an_identity
from tradingcore.testing.auth.passkeys import a_passkey
from tradingcore.testing.auth.phones import a_proof
from tradingcore.testing.auth.proposals import a_proposal
from tradingcore.testing.builders import a_key_holder, an_actor, an_api_key, an_id

IDENTITIES: Final = ("anonymous", "student", "investor", "trader", "an API key", "admin")
BODIES: Final[Mapping[str, Any]] = {
    "renamePasskey": {"label": "mine now"},
    "confirmPhone": {"code": "123456"},
    "decideProposal": {"approve": True},
    "setPlan": {"plan": "enterprise"},
    "changeRoles": {"action": "grant", "role": "trader"},
}
WITHOUT_OWNER: Final = {"getModel", "getSignal", "explainSignal", "beginAtProvider", "showProviderDataDeletion"}
"""Rows that belong to nobody, and names of providers."""
FOR_STAFF: Final = {
    *("getUser", "suspendUser", "reinstateUser", "endUserSessions", "resetFactors", "changeRoles", "setPlan", "decideProposal"),
}
"""Staff may reach other people's rows with these, and nobody else."""


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    parameter: str


def operations(world: World) -> list[Operation]:
    found = []
    for path, methods in world.document["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        for method, described in methods.items():
            if names and described["operationId"] not in WITHOUT_OWNER:
                assert len(names) == 1, "an operation takes one id"
                found.append(Operation(described["operationId"], method.upper(), path, names[0]))
    return sorted(found, key=lambda operation: operation.method == "DELETE")  # what deletes comes last


async def things_of(world: World, victim: UserAccount) -> dict[str, UUID]:
    """One row of every kind that has an id, belonging to the victim."""
    owner, now = the_owner_of(victim), world.clock.now()
    await (await signed_in(world, victim)).aclose()
    session = next(row.id for row in world.database.sessions.rows.values() if row.user_id == victim.id)
    device, passkey = a_trusted_device(victim.id), a_passkey(victim.id)
    identity, proof = an_identity(victim), a_proof(owner, expires_at=now + timedelta(hours=1))
    key = an_api_key(user=a_key_holder(id=victim.id, roles=victim.roles, plan=victim.plan), expires_at=now + timedelta(days=9))
    proposal = a_proposal(victim.id, at=now)
    async with world.container.auth_uow()(an_actor()) as unit:
        await unit.trusted_devices.add(device)
        await unit.passkeys.add(passkey)
        await unit.identities.save(identity)
        await unit.phones.start(proof)
        await unit.api_keys.save(key)
        await unit.proposals.save(proposal)
    return {
        "session_id": session,
        "device_id": device.id,
        "passkey_id": passkey.id,
        "identity_id": identity.id,
        "proof_id": proof.id,
        "key_id": key.id,
        "proposal_id": proposal.id,
        "user_id": victim.id,
    }


async def client_of(world: World, who: str) -> httpx.AsyncClient:
    match who:
        case "anonymous":
            return world.client()
        case "an API key":
            return await world.client_of(Role.TRADER)
    account = await an_owner(world, roles=frozenset({Role(who)}))
    return await signed_in(world, account, assurance=Assurance.AAL2)


async def answer(client: httpx.AsyncClient, operation: Operation, id_: UUID) -> tuple[int, str]:
    """Status and body, without what differs from call to call anyhow: the id itself and the request's."""
    path = operation.path.replace("{" + operation.parameter + "}", str(id_))
    body = BODIES.get(operation.id)
    response = await client.request(operation.method, path, json=body)
    said = response.text.replace(str(id_), "ID")
    if response.content:
        said = json.dumps({**json.loads(said), "instance": ""})
    return response.status_code, said


@asvs("8.2.2", "8.4.1")
@pytest.mark.parametrize("who", IDENTITIES)
async def test_what_belongs_to_somebody_else_answers_like_what_is_not_there(world: World, who: str) -> None:
    things = await things_of(world, await an_owner(world, "victim"))
    database = world.database
    tables: list[Any] = [database.sessions, database.api_keys, database.user_accounts, database.proposals]
    before = [dict(table.rows) for table in tables]
    asked = 0
    async with await client_of(world, who) as client:
        for operation in operations(world):
            if who == "admin" and operation.id in FOR_STAFF:
                continue
            theirs = await answer(client, operation, things[operation.parameter])
            nobodys = await answer(client, operation, an_id())
            assert theirs == nobodys, operation
            assert theirs[0] in (401, 403, 404, 400, 422), (operation, theirs)
            asked += 1
    assert asked >= (7 if who == "admin" else 15)
    for table, rows in zip(tables, before, strict=True):
        assert {id_: table.rows[id_] for id_ in rows} == rows


async def test_every_id_is_of_a_kind_that_is_tried(world: World) -> None:
    things = await things_of(world, await an_owner(world, "victim"))
    assert {operation.parameter for operation in operations(world)} <= things.keys()
    assert {operation.id for operation in operations(world)} >= FOR_STAFF


@asvs("8.2.2")
async def test_the_owner_reaches_each_of_them(world: World) -> None:
    """Without this, a route that always answers 404 would pass."""
    victim = await an_owner(world, "victim")
    things = await things_of(world, victim)
    for operation in operations(world):
        if operation.id not in FOR_STAFF:
            # Signed in anew each time: some of these make older access tokens worthless.
            async with await signed_in(world, world.database.user_accounts.rows[victim.id], assurance=Assurance.AAL2) as client:
                status, said = await answer(client, operation, things[operation.parameter])
                assert status in (200, 204, 422) or (operation.id == "confirmPhone" and status == 400), (operation, status, said)
