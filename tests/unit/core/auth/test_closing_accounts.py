"""A closed account opens nothing, holds nothing personal, and leaves its address to whoever comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld
from tradingcore.auth.errors import AccountDisabled, CodeRefused
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.use_cases.close_account import CloseAccountCommand
from tradingcore.auth.use_cases.reset_password import RequestPasswordResetCommand, ResetPasswordCommand
from tradingcore.kernel.authz import Plan, Role
from tradingcore.kernel.errors import InvalidInput, StepUpRequired
from tradingcore.testing.auth.builders import an_account, an_address, an_unverified_account, the_owner_of
from tradingcore.testing.auth.factors import a_totp_factor
from tradingcore.testing.auth.identities import an_identity
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import MONDAY, an_actor, an_api_key


@pytest.fixture
def world() -> AccountsWorld:
    return AccountsWorld()


@asvs("7.4.2")
async def test_everything_that_opens_the_account_ends(world: AccountsWorld) -> None:
    account, other = await world.an_owner("ana", roles=frozenset({Role.SUPERADMIN})), await world.an_owner("ben")
    async with world.uow(an_actor()) as unit:
        for one in (account, other):
            session = a_session(one.id, created_at=world.clock.now())
            await unit.sessions.open(session, a_refresh_token(session, a_secret()))
            await unit.api_keys.save(an_api_key(user=one))
            await unit.identities.save(an_identity(one))
            await unit.totp_factors.enrol(a_totp_factor(one.id), b"s" * 20)
    await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email="ana@example.org"))
    (reset,) = await world.settle()
    await world.close(the_owner_of(account), CloseAccountCommand())
    assert world.live_sessions(account.id) == []
    async with world.uow(an_actor()) as unit:
        keys = {key.user.id: key.revoked_at for key in await unit.api_keys.list_all()}
        assert keys == {account.id: world.clock.now(), other.id: None}
        assert (await unit.identities.list_of(account.id), len(await unit.identities.list_of(other.id))) == ([], 1)
        assert await unit.totp_factors.find(account.id) is None
        assert await unit.totp_factors.find(other.id) is not None
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=reset.values["token"], password="quite another sentence"))
    assert world.open_tokens(account.id) == []
    assert len(world.live_sessions(other.id)) == 1
    assert [(mail.template, mail.to) for mail in await world.settle()] == [("account_closed", "ana@example.org")]


async def test_nothing_personal_stays_and_the_address_is_free(world: AccountsWorld) -> None:
    account = await world.an_owner()
    await world.close(the_owner_of(account), CloseAccountCommand())
    await world.settle()
    closed = world.account(account.id)
    assert (closed.status, closed.email, closed.password, closed.profile.display_name) == (AccountStatus.CLOSED, None, None, "")
    assert "auth.account_closed" in world.audited(account.id)
    successor = await world.verified("ana")
    assert successor.id != account.id


async def test_closing_needs_a_recent_sign_in(world: AccountsWorld) -> None:
    account = await world.an_owner()
    with pytest.raises(StepUpRequired):
        await world.close(the_owner_of(account, authentication_age=timedelta(minutes=6)), CloseAccountCommand())


def test_every_change_that_older_tokens_must_not_survive_bumps_the_rights_version() -> None:
    account = an_account()
    new = account.password
    assert new is not None
    changes: list[UserAccount] = [
        an_unverified_account().verified(at=MONDAY),
        account.with_address(an_address(), at=MONDAY),
        account.with_password(new, at=MONDAY),
        account.without_password(at=MONDAY),
        account.with_rights(roles=frozenset({Role.ADMIN}), plan=Plan.FREE, by="x", at=MONDAY),
        account.frozen(by="x", at=MONDAY),
        account.closed(at=MONDAY),
    ]
    assert [change.rights_version for change in changes] == [2] * len(changes)
    assert all(len(change.pending_events) == 1 for change in changes)
    assert account.frozen(by="x", at=MONDAY).unfrozen(by="x", at=MONDAY).rights_version == 3
    assert account.with_profile(account.profile).rights_version == account.with_better_hash(new).rights_version == 1


def test_changes_that_change_nothing_announce_nothing() -> None:
    account = an_account()
    frozen, closed = account.frozen(by="x", at=MONDAY), account.closed(at=MONDAY)
    assert account.verified(at=MONDAY) is account
    assert account.with_rights(roles=account.roles, plan=account.plan, by="x", at=MONDAY) is account
    assert account.unfrozen(by="x", at=MONDAY) is account
    assert frozen.frozen(by="x", at=MONDAY) is frozen
    assert closed.closed(at=MONDAY) is closed
    assert closed.verified(at=MONDAY) is closed


def test_frozen_account_thaws_to_what_it_was() -> None:
    for account in (an_account(), an_unverified_account(), an_account(email=None, verified_at=None)):
        assert account.frozen(by="x", at=MONDAY).unfrozen(by="x", at=MONDAY).status is account.status


def test_closed_account_does_not_come_back() -> None:
    closed = an_account().closed(at=MONDAY)
    with pytest.raises(AccountDisabled):
        closed.with_address(an_address(), at=MONDAY)
    with pytest.raises(AccountDisabled):
        closed.frozen(by="x", at=MONDAY)
    assert not closed.may_sign_in


def test_account_has_at_least_one_role() -> None:
    with pytest.raises(InvalidInput):
        an_account().with_rights(roles=frozenset(), plan=Plan.FREE, by="x", at=MONDAY)
