"""Passwords are changed by who knows the old one, or who reads the mail; either ends what rested on the old one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.memory.auth.passwords import MemoryPasswordHasher
from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld
from tradingcore.auth.errors import CodeRefused, PasswordRefused, PasswordWrong
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.opaque_token import opaque_token, opaque_token_hash
from tradingcore.auth.model.password import PasswordHash
from tradingcore.auth.use_cases.change_password import ChangePasswordCommand
from tradingcore.auth.use_cases.reset_password import RequestPasswordResetCommand, ResetPasswordCommand
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import PermissionDenied, StaleVersion, StepUpRequired, TooManyAttempts
from tradingcore.testing.auth.builders import PASSWORD, a_mailed_token, the_owner_of
from tradingcore.testing.auth.challenges import a_trusted_device
from tradingcore.testing.auth.factors import a_totp_factor
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import an_actor, an_id

NEW = "quite another sentence"


@pytest.fixture
def world() -> AccountsWorld:
    return AccountsWorld()


async def a_token(world: AccountsWorld, email: str = "ana@example.org") -> str:
    await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email=email))
    (mail,) = await world.settle()
    assert mail.template == "reset_password"
    return mail.values["token"]


async def with_everything(world: AccountsWorld, account: UserAccount, sessions: int = 2) -> list[SessionId]:
    """Give the account sessions, a trusted device and a second factor."""
    opened = [a_session(account.id, created_at=world.clock.now()) for _ in range(sessions)]
    async with world.uow(an_actor()) as unit:
        for session in opened:
            await unit.sessions.open(session, a_refresh_token(session, a_secret()))
        await unit.trusted_devices.add(a_trusted_device(account.id, created_at=world.clock.now()))
        await unit.totp_factors.enrol(a_totp_factor(account.id), b"s" * 20)
        await unit.totp_factors.confirm(account.id, step=1, at=world.clock.now())
    return [session.id for session in opened]


async def is_password(world: AccountsWorld, account: UserAccount, password: str) -> bool:
    return (await world.hasher.verify(password, world.account(account.id).password)).is_right


async def devices_of(world: AccountsWorld, account: UserAccount) -> int:
    async with world.uow(an_actor()) as unit:
        return len(await unit.trusted_devices.list_trusted(account.id, at=world.clock.now()))


@asvs("6.4.3", "7.4.3")
async def test_reset_ends_sessions_and_devices_and_keeps_the_second_factor(world: AccountsWorld) -> None:
    account = await world.an_owner()
    await with_everything(world, account)
    await world.reset(world.nobody(), ResetPasswordCommand(token=await a_token(world), password=NEW))
    assert await is_password(world, account, NEW)
    assert (world.live_sessions(account.id), await devices_of(world, account)) == ([], 0)
    async with world.uow(an_actor()) as unit:
        factor = await unit.totp_factors.find(account.id)
    assert factor is not None
    assert factor.is_confirmed
    assert world.account(account.id).rights_version == account.rights_version + 1
    assert [mail.template for mail in await world.settle()] == ["password_changed"]
    assert "auth.password_changed" in world.audited(account.id)


async def test_reset_token_works_once_and_for_twenty_minutes(world: AccountsWorld) -> None:
    await world.an_owner()
    token = await a_token(world)
    await world.reset(world.nobody(), ResetPasswordCommand(token=token, password=NEW))
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=token, password=PASSWORD))
    await world.settle()
    world.clock.advance(timedelta(minutes=1))
    late = await a_token(world)
    world.clock.advance(timedelta(minutes=20))
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=late, password=PASSWORD))


async def test_of_parallel_resets_with_one_token_one_wins(world: AccountsWorld) -> None:
    account = await world.an_owner()
    token = await a_token(world)
    passwords = [f"quite another sentence {number}" for number in range(16)]
    results = await asyncio.gather(
        *(world.reset(world.nobody(), ResetPasswordCommand(token=token, password=one)) for one in passwords), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["CodeRefused"] * 15 + ["NoneType"]
    winner = passwords[results.index(None)]
    assert await is_password(world, account, winner)


async def test_refused_password_leaves_the_token_as_it_is(world: AccountsWorld) -> None:
    account = await world.an_owner(roles=frozenset({Role.ADMIN}))
    token = await a_token(world)
    for password in ("short", "password1234", "Ana Pérez 123", "fourteen chars"):
        with pytest.raises(PasswordRefused):
            await world.reset(world.nobody(), ResetPasswordCommand(token=token, password=password))
    await world.reset(world.nobody(), ResetPasswordCommand(token=token, password=NEW))
    assert await is_password(world, account, NEW)


async def test_any_change_of_password_voids_reset_tokens(world: AccountsWorld) -> None:
    account = await world.an_owner()
    token = await a_token(world)
    await world.change_password(the_owner_of(account), ChangePasswordCommand(old=PASSWORD, new=NEW))
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=token, password=PASSWORD))


async def test_newer_reset_token_voids_the_older(world: AccountsWorld) -> None:
    await world.an_owner()
    first = await a_token(world)
    world.clock.advance(timedelta(minutes=1))
    await a_token(world)
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=first, password=NEW))


async def test_unknown_unproven_and_frozen_accounts_get_no_mail(world: AccountsWorld) -> None:
    await world.registered("unproven")
    await world.an_owner("frozen", status=AccountStatus.FROZEN)
    for name in ("unknown", "unproven", "frozen"):
        await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email=f"{name}@example.org"))
        assert await world.settle() == []


async def test_one_reset_mail_a_minute_and_five_a_day_for_known_and_unknown_alike(world: AccountsWorld) -> None:
    await world.an_owner()
    sent = 0
    for _ in range(12):
        for name in ("ana", "unknown"):
            await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email=f"{name}@example.org"))
        sent += len(await world.settle())
        world.clock.advance(timedelta(seconds=30))
    assert sent == 5
    world.clock.advance(timedelta(days=1))
    await a_token(world)


@asvs("6.2.2", "6.2.3", "7.4.3")
async def test_change_keeps_the_session_that_asks_and_ends_the_others(world: AccountsWorld) -> None:
    account = await world.an_owner()
    mine, _ = await with_everything(world, account)
    await world.change_password(the_owner_of(account, session_id=mine), ChangePasswordCommand(old=PASSWORD, new=NEW))
    assert await is_password(world, account, NEW)
    assert [session.id for session in world.live_sessions(account.id)] == [mine]
    assert await devices_of(world, account) == 0
    assert [mail.template for mail in await world.settle()] == ["password_changed"]


@asvs("6.2.3")
async def test_wrong_old_password_changes_nothing_and_counts(world: AccountsWorld) -> None:
    account = await world.an_owner()
    owner = the_owner_of(account)
    for old in ("wrong", None, "", NEW, "wrong"):
        with pytest.raises(PasswordWrong):
            await world.change_password(owner, ChangePasswordCommand(old=old, new=NEW))
    with pytest.raises(TooManyAttempts):
        await world.change_password(owner, ChangePasswordCommand(old=PASSWORD, new=NEW))
    assert await is_password(world, account, PASSWORD)


@asvs("7.5.1")
@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"authentication_age": timedelta(minutes=6)}, StepUpRequired),
        ({"session_id": None}, PermissionDenied),
        ({"permissions": frozenset()}, PermissionDenied),
    ],
)
async def test_change_needs_a_recent_sign_in(world: AccountsWorld, overrides: dict[str, object], error: type[Exception]) -> None:
    account = await world.an_owner()
    with pytest.raises(error):
        await world.change_password(the_owner_of(account, **overrides), ChangePasswordCommand(old=PASSWORD, new=NEW))


async def test_account_without_a_password_chooses_a_first_one(world: AccountsWorld) -> None:
    account = await world.an_owner()
    async with world.uow(an_actor()) as unit:
        await unit.accounts.save(replace(account, password=None, password_changed_at=None))
    await world.change_password(the_owner_of(account), ChangePasswordCommand(old=None, new=NEW))
    assert await is_password(world, account, NEW)


class PausingHasher(MemoryPasswordHasher):
    """Lets others go on while it hashes, as one that works in threads does."""

    async def hash(self, password: str) -> PasswordHash:
        await asyncio.sleep(0)
        return await super().hash(password)


async def test_of_two_changes_at_once_one_holds(world: AccountsWorld) -> None:
    account = await world.an_owner()
    passwords = replace(world.passwords, hasher=PausingHasher())
    change_password = replace(world.change_password, passwords=passwords)
    results = await asyncio.gather(
        *(
            change_password(the_owner_of(account, session_id=an_id()), ChangePasswordCommand(old=PASSWORD, new=f"{NEW} {number}"))
            for number in range(8)
        ),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert all(result is None or isinstance(result, StaleVersion) for result in results)


async def test_reset_token_is_worth_nothing_once_its_address_is_another(world: AccountsWorld) -> None:
    account = await world.an_owner()
    secret = opaque_token(b"r" * 32)
    token = a_mailed_token(
        account,
        token_hash=opaque_token_hash(secret),
        purpose=TokenPurpose.RESET_PASSWORD,
        expires_at=world.clock.now() + timedelta(minutes=20),
        bound_to="before@example.org",
    )
    async with world.uow(an_actor()) as unit:
        await unit.one_time_tokens.add(token)
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=secret, password=NEW))
    assert await is_password(world, account, PASSWORD)
