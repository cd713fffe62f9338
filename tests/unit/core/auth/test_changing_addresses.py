"""An address changes when the new one has proven itself; the old one can take it back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld, SentMail
from tradingcore.auth.errors import CodeRefused
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.identity import Identity, ProvenIdentity, Provider
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.use_cases.change_address import (
    ConfirmAddressChangeCommand,
    RequestAddressChangeCommand,
    UndoAddressChangeCommand,
)
from tradingcore.auth.use_cases.change_password import ChangePasswordCommand
from tradingcore.auth.use_cases.reset_password import RequestPasswordResetCommand, ResetPasswordCommand
from tradingcore.auth.use_cases.verify_address import VerifyAddressCommand
from tradingcore.kernel.errors import InvalidInput, StepUpRequired
from tradingcore.testing.auth.builders import PASSWORD, the_owner_of
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import a_key_holder, an_actor, an_api_key, an_id


@pytest.fixture
def world() -> AccountsWorld:
    return AccountsWorld()


async def asked(world: AccountsWorld, account: UserAccount, name: str = "new") -> list[SentMail]:
    await world.ask_change(the_owner_of(account), RequestAddressChangeCommand(email=f"{name}@example.org"))
    return await world.settle()


async def changed(world: AccountsWorld, account: UserAccount, name: str = "new") -> list[SentMail]:
    """Change the address and return the mails that follow."""
    (mail,) = await asked(world, account, name)
    await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=mail.values["token"]))
    return await world.settle()


async def test_new_address_proves_itself_and_the_old_one_is_told(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (proof,) = await asked(world, account)
    assert (proof.template, proof.to) == ("address_change_confirm", "new@example.org")
    assert world.account(account.id).email == account.email, "nothing has changed before the proof"
    await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    after = world.account(account.id)
    assert (str(after.email), after.status, after.verified_at) == ("new@example.org", AccountStatus.ACTIVE, world.clock.now())
    assert after.rights_version > account.rights_version
    (notice,) = await world.settle()
    assert (notice.template, notice.to) == ("address_changed", "ana@example.org")
    assert notice.values["new_address"] == "n***@example.org"
    assert set(notice.values) == {"new_address", "at", "token"}


async def test_proof_of_a_new_address_works_once_and_for_a_day(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (proof,) = await asked(world, account)
    await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    await world.settle()
    with pytest.raises(CodeRefused):
        await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    (late,) = await asked(world, account, "later")
    world.clock.advance(timedelta(hours=24))
    with pytest.raises(CodeRefused):
        await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=late.values["token"]))


@asvs("2.3.1")
async def test_tokens_open_only_what_they_were_made_for(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (proof,) = await asked(world, account)
    token = proof.values["token"]
    for attempt in (
        world.verify(world.nobody(), VerifyAddressCommand(token=token)),
        world.undo_change(world.nobody(), UndoAddressChangeCommand(token=token)),
        world.reset(world.nobody(), ResetPasswordCommand(token=token, password="quite another sentence")),
    ):
        with pytest.raises(CodeRefused):
            await attempt


@asvs("6.3.8")
async def test_address_of_another_gets_a_notice_and_the_asker_learns_nothing(world: AccountsWorld) -> None:
    account, other = await world.an_owner("ana"), await world.an_owner("taken")
    (mail,) = await asked(world, account, "TAKEN")
    assert (mail.template, mail.to) == ("already_registered", "taken@example.org")
    assert world.account(account.id) == account
    assert world.account(other.id) == other


async def test_address_that_another_proves_first_is_refused(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (proof,) = await asked(world, account, "wanted")
    await world.verified("wanted")
    with pytest.raises(CodeRefused):
        await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    assert world.account(account.id).email == account.email


async def test_change_voids_what_lies_in_the_old_mailbox(world: AccountsWorld) -> None:
    account = await world.an_owner()
    await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email="ana@example.org"))
    (reset,) = await world.settle()
    await changed(world, account)
    assert world.open_tokens(account.id) == [TokenPurpose.UNDO_ADDRESS_CHANGE]
    with pytest.raises(CodeRefused):
        await world.reset(world.nobody(), ResetPasswordCommand(token=reset.values["token"], password="quite another sentence"))


@asvs("7.4.3")
async def test_change_that_a_thief_began_ends_with_the_password_that_was_stolen(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (proof,) = await asked(world, account, "thief")
    await world.ask_reset(world.nobody(), RequestPasswordResetCommand(email="ana@example.org"))
    (reset,) = await world.settle()
    await world.ask_change(the_owner_of(account), RequestAddressChangeCommand(email="later@example.org"))
    world.clock.advance(timedelta(seconds=1))
    await world.reset(world.nobody(), ResetPasswordCommand(token=reset.values["token"], password="quite another sentence"))
    assert [mail.template for mail in await world.settle()] == ["password_changed"], "what still waits is not mailed"
    with pytest.raises(CodeRefused):
        await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    assert world.account(account.id).email == account.email


async def test_undo_brings_the_address_back_and_locks_the_thief_out(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (notice,) = await changed(world, account)
    thief = the_owner_of(account)
    await world.change_password(thief, ChangePasswordCommand(old=PASSWORD, new="the password of a thief"))
    session = a_session(account.id, created_at=world.clock.now())
    async with world.uow(an_actor()) as unit:
        await unit.sessions.open(session, a_refresh_token(session, a_secret()))
    await world.settle()
    world.clock.advance(timedelta(hours=71))
    await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=notice.values["token"]))
    after = world.account(account.id)
    assert (after.email, after.password, world.live_sessions(account.id)) == (account.email, None, [])
    (mail,) = await world.settle()
    assert (mail.template, mail.to) == ("reset_password", "ana@example.org")
    await world.reset(world.nobody(), ResetPasswordCommand(token=mail.values["token"], password="quite another sentence"))


@asvs("7.4.3")
async def test_undo_ends_the_keys_and_identities_that_a_thief_may_have_added(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (notice,) = await changed(world, account)
    proven = ProvenIdentity(provider=Provider.GITHUB, subject="thief")
    async with world.uow(the_owner_of(account)) as unit:
        await unit.identities.save(Identity.link(proven, id=IdentityId(an_id()), user_id=account.id, at=world.clock.now()))
        await unit.api_keys.save(an_api_key(user=a_key_holder(id=account.id)))
    await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=notice.values["token"]))
    async with world.uow(the_owner_of(account)) as unit:
        assert await unit.identities.list_of(account.id) == []
        assert [key.revoked_at for key in await unit.api_keys.list_of(account.id)] == [world.clock.now()]


async def test_undo_works_once_and_for_three_days(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (notice,) = await changed(world, account)
    world.clock.advance(timedelta(hours=72))
    with pytest.raises(CodeRefused):
        await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=notice.values["token"]))
    (second,) = await changed(world, account, "third")
    await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=second.values["token"]))
    with pytest.raises(CodeRefused):
        await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=second.values["token"]))


async def test_second_change_does_not_take_the_first_owners_way_back(world: AccountsWorld) -> None:
    account = await world.an_owner()
    (first,) = await changed(world, account, "thief")
    (second,) = await changed(world, account, "thief2")
    await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=first.values["token"]))
    assert world.account(account.id).email == account.email
    with pytest.raises(CodeRefused):
        await world.undo_change(world.nobody(), UndoAddressChangeCommand(token=second.values["token"]))


async def test_unproven_address_has_no_way_back(world: AccountsWorld) -> None:
    await world.registered("typo")
    account = world.account_of("typo")
    (proof,) = await asked(world, account)
    await world.confirm_change(world.nobody(), ConfirmAddressChangeCommand(token=proof.values["token"]))
    assert await world.settle() == [], "an address that nobody has proven is told nothing"
    assert world.account(account.id).status is AccountStatus.ACTIVE


async def test_change_is_asked_for_after_a_recent_sign_in_and_with_an_address(world: AccountsWorld) -> None:
    account = await world.an_owner()
    with pytest.raises(StepUpRequired):
        await world.ask_change(
            the_owner_of(account, authentication_age=timedelta(minutes=6)), RequestAddressChangeCommand(email="new@example.org")
        )
    with pytest.raises(InvalidInput):
        await world.ask_change(the_owner_of(account), RequestAddressChangeCommand(email="nobody"))


async def test_three_proofs_are_mailed_to_an_address_in_six_hours(world: AccountsWorld) -> None:
    account = await world.an_owner()
    mails = [mail for _ in range(5) for mail in await asked(world, account)]
    assert len(mails) == 3
