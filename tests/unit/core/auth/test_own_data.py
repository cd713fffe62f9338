"""What is kept of a person: handed out to that person alone, and erased so that nothing is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.memory.auth.audit import MemoryAuditTrail
from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld
from tradingcore.auth.errors import AccountNotFound
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.use_cases.close_account import CloseAccountCommand, EraseAccount, EraseAccountCommand
from tradingcore.auth.use_cases.export_own_data import ExportOwnData, ExportOwnDataCommand
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.errors import PermissionDenied, StepUpRequired, Unauthenticated
from tradingcore.testing.auth.builders import the_owner_of
from tradingcore.testing.auth.erasure import NAME, somebody
from tradingcore.testing.builders import an_actor, an_id


@pytest.fixture
def world() -> AccountsWorld:
    return AccountsWorld()


@pytest.fixture
def export(world: AccountsWorld) -> ExportOwnData:
    return ExportOwnData(uow=world.uow, trail=MemoryAuditTrail(world.database), clock=world.clock)


@pytest.fixture
def erase(world: AccountsWorld) -> EraseAccount:
    return EraseAccount(uow=world.uow, mailer=world.mailer, clock=world.clock)


async def test_export_holds_what_is_kept_of_its_owner_and_nothing_of_others(world: AccountsWorld, export: ExportOwnData) -> None:
    mine, _ = await somebody(world.uow), await somebody(world.uow, name="Ana")
    me = the_owner_of(mine)
    data = await export(me, ExportOwnDataCommand())
    assert data.account == mine
    assert data.exported_at == world.clock.now()
    assert data.phone is not None
    about = [data.sessions, data.identities, data.trusted_devices, data.api_keys]
    assert [len(kept) for kept in about] == [1, 1, 1, 1]
    assert [data.sessions[0].user_id, data.identities[0].user_id, data.trusted_devices[0].user_id] == [mine.id] * 3
    assert data.api_keys[0].name == f"{NAME}'s robot"
    # Who may see the keys of all exports the own ones.
    manager = replace(me, permissions=me.permissions | {Permission.KEYS_MANAGE, Permission.USERS_MANAGE})
    assert len((await export(manager, ExportOwnDataCommand())).api_keys) == 1


async def test_export_reads_the_whole_trail(world: AccountsWorld, export: ExportOwnData) -> None:
    account = await world.an_owner()
    for number in range(450):
        async with world.uow(an_actor()) as unit:
            current = await unit.accounts.get(account.id)
            changed = current.frozen(by=str(number), at=world.clock.now()).unfrozen(by="x", at=world.clock.now())
            await unit.accounts.save(changed)
    data = await export(the_owner_of(account), ExportOwnDataCommand())
    assert len(data.events) == 900
    assert len({entry.id for entry in data.events}) == 900


@asvs("7.5.3")
async def test_export_needs_a_recent_sign_in(world: AccountsWorld, export: ExportOwnData) -> None:
    account = await world.an_owner()
    with pytest.raises(StepUpRequired):
        await export(the_owner_of(account, authentication_age=timedelta(minutes=6)), ExportOwnDataCommand())


async def test_a_key_and_an_operator_export_nothing(world: AccountsWorld, export: ExportOwnData) -> None:
    account = await world.an_owner()
    by_key = replace(the_owner_of(account), session_id=None, authentication_age=None)
    with pytest.raises((StepUpRequired, PermissionDenied)):
        await export(by_key, ExportOwnDataCommand())
    with pytest.raises(PermissionDenied, match="which an operator has not"):
        await export(an_actor(), ExportOwnDataCommand())
    with pytest.raises(Unauthenticated):
        await export(Actor.anonymous(an_actor().trace_id), ExportOwnDataCommand())


async def test_erasure_closes_the_account_first_and_tells_its_owner(world: AccountsWorld, erase: EraseAccount) -> None:
    person = await somebody(world.uow)
    assert await erase(an_actor(), EraseAccountCommand(user_id=person.id))
    assert world.account(person.id).status is AccountStatus.CLOSED
    async with world.uow(an_actor()) as unit:
        assert await unit.identities.list_of(person.id) == []
        assert await unit.phones.find(person.id) is None
        (key,) = await unit.api_keys.list_all()
    assert key.revoked_at == world.clock.now()
    assert key.name == "erased"
    assert [(mail.template, mail.to) for mail in await world.settle()] == [("account_closed", str(person.email))]
    assert world.audited(person.id)[-1] == "auth.account_erased"
    kept = [recorded.event for recorded, _, _ in world.database.audit]
    assert NAME not in repr(kept)


async def test_erasure_goes_on_where_it_was_interrupted(world: AccountsWorld, erase: EraseAccount) -> None:
    person = await somebody(world.uow)
    await world.close(the_owner_of(person), CloseAccountCommand())
    await world.settle()
    assert await erase(an_actor(), EraseAccountCommand(user_id=person.id))
    assert await world.settle() == []
    assert not await erase(an_actor(), EraseAccountCommand(user_id=person.id))
    assert world.audited(person.id).count("auth.account_erased") == 1


async def test_nobody_else_is_erased_and_nobody_erases_but_the_platform(world: AccountsWorld, erase: EraseAccount) -> None:
    person, other = await somebody(world.uow), await somebody(world.uow, name="Ana")
    with pytest.raises(PermissionDenied):
        await erase(the_owner_of(person), EraseAccountCommand(user_id=person.id))
    assert world.account(person.id).status is AccountStatus.ACTIVE
    with pytest.raises(AccountNotFound):
        await erase(an_actor(), EraseAccountCommand(user_id=UserId(an_id())))
    await erase(an_actor(), EraseAccountCommand(user_id=person.id))
    assert world.account(other.id).profile.display_name == "Ana"
