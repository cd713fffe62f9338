"""Linking what a provider proves to an account that exists, taking it away, and proving presence by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.provider_world import ProviderWorld, a_person
from tradingcore.auth.errors import (
    CodeRefused,
    IdentityNotFound,
    IdentityRefused,
    IdentityTaken,
    LastSignInMethod,
    ProviderFlowUnknown,
    ProviderNotFound,
)
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.api_key import ApiKey, KeyHolder
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, Identity, Provider
from tradingcore.auth.model.session import AuthMethod, Session
from tradingcore.auth.use_cases.begin_provider import (
    BeginProviderLinkCommand,
    BeginProviderStepUpCommand,
)
from tradingcore.auth.use_cases.confirm_provider_link import (
    ConfirmProviderLinkCommand,
    MailProviderLinkCommand,
    ProveProviderLinkCommand,
)
from tradingcore.auth.use_cases.delete_provider_data import DeleteProviderDataCommand, ShowProviderDataDeletionCommand
from tradingcore.auth.use_cases.list_identities import ListIdentitiesCommand
from tradingcore.auth.use_cases.provider_flows import PendingLink
from tradingcore.auth.use_cases.session_opening import OpenedSession
from tradingcore.auth.use_cases.step_up import SteppedUpSession
from tradingcore.auth.use_cases.unlink_identity import UnlinkIdentityCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import PermissionDenied, RuleViolation, StepUpRequired, TradingCoreError, Unauthenticated
from tradingcore.testing.auth.builders import the_owner_of
from tradingcore.testing.auth.passkeys import a_passkey
from tradingcore.testing.builders import an_actor, an_api_key

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> ProviderWorld:
    return ProviderWorld()


async def pending(world: ProviderWorld) -> tuple[str, str]:
    """The ticket and the browser of somebody whose address an account has proven."""
    finished = await world.signed_in_by(a_person())
    assert isinstance(finished.outcome, PendingLink)
    return finished.outcome.ticket, finished.browser


async def confirmed(world: ProviderWorld, owner: Actor, ticket: str, browser: str) -> Identity:
    return await world.confirm(owner, ConfirmProviderLinkCommand(ticket=ticket, browser=browser))


# From within an account.


async def test_owner_adds_a_provider_and_is_told_by_mail(world: ProviderWorld) -> None:
    account = await world.an_owner()
    outcome = (await world.linked_by(the_owner_of(account), a_person(email="other@example.net"))).outcome
    assert isinstance(outcome, Identity)
    assert outcome.user_id == account.id
    mails = await world.settle()
    assert [(mail.template, mail.to) for mail in mails] == [("identity_linked", "ana@example.org")]
    # The address at the provider is not the account's.
    assert world.account(account.id).email == account.email
    assert isinstance((await world.signed_in_by(a_person())).outcome, OpenedSession)


async def test_linking_twice_changes_nothing(world: ProviderWorld) -> None:
    account = await world.an_owner()
    first = (await world.linked_by(the_owner_of(account), a_person())).outcome
    assert (await world.linked_by(the_owner_of(account), a_person())).outcome == first


@asvs("7.5.1")
async def test_linking_needs_a_recent_sign_in(world: ProviderWorld) -> None:
    owner = the_owner_of(await world.an_owner(), authentication_age=6 * MINUTE)
    with pytest.raises(StepUpRequired):
        await world.begin_link(owner, BeginProviderLinkCommand(provider=Provider.GOOGLE))
    with pytest.raises(Unauthenticated):
        await world.begin_link(world.nobody(), BeginProviderLinkCommand(provider=Provider.GOOGLE))


async def test_operator_has_no_identity_to_link(world: ProviderWorld) -> None:
    with pytest.raises(PermissionDenied):
        await world.begin_link(an_actor(), BeginProviderLinkCommand(provider=Provider.GOOGLE))


# Of the account that has the same address.


async def test_owner_who_signs_in_gets_the_pending_link(world: ProviderWorld) -> None:
    account = await world.an_owner()
    ticket, browser = await pending(world)
    identity = await confirmed(world, the_owner_of(account), ticket, browser)
    assert (identity.user_id, identity.subject, identity.email) == (account.id, "1234", account.email)
    with pytest.raises(ProviderFlowUnknown):
        await confirmed(world, the_owner_of(account), ticket, browser)


@asvs("6.8.1")
async def test_pending_link_is_for_that_account_in_that_browser_and_soon(world: ProviderWorld) -> None:
    account, other = await world.an_owner(), await world.an_owner("other")
    ticket, browser = await pending(world)
    for owner, ticket_shown, browser_shown in (
        (other, ticket, browser),
        (account, ticket, (await world.begun()).browser),
        (account, browser, browser),
        (account, "", ""),
    ):
        with pytest.raises(ProviderFlowUnknown):
            await confirmed(world, the_owner_of(owner), ticket_shown, browser_shown)
    with pytest.raises(StepUpRequired):
        await confirmed(world, the_owner_of(account, authentication_age=6 * MINUTE), ticket, browser)
    world.wait(10 * MINUTE)
    with pytest.raises(ProviderFlowUnknown):
        await confirmed(world, the_owner_of(account), ticket, browser)
    assert world.identities_of(account) == []


@asvs("2.3.1")
async def test_pending_link_is_no_answer_and_an_answer_no_pending_link(world: ProviderWorld) -> None:
    account = await world.an_owner()
    ticket, browser = await pending(world)
    with pytest.raises(ProviderFlowUnknown):
        await world.completed(ticket, browser)
    begun = await world.begun()
    state = begun.authorization_url.partition("state=")[2].partition("&")[0]
    with pytest.raises(ProviderFlowUnknown):
        await confirmed(world, the_owner_of(account), state, begun.browser)


async def test_mailed_proof_links_in_the_browser_that_began(world: ProviderWorld) -> None:
    account = await world.an_owner()
    ticket, browser = await pending(world)
    await world.mail_link(world.nobody(), MailProviderLinkCommand(ticket=ticket, browser=browser))
    (mail,) = await world.settle()
    assert (mail.template, mail.to, mail.values["provider"]) == ("prove_account", "ana@example.org", "google")
    token = mail.values["token"]
    # Somebody who reads the mail and is talked into opening the link of another's sign-in gives nothing away.
    with pytest.raises(ProviderFlowUnknown):
        await world.prove_link(world.nobody(), ProveProviderLinkCommand(token=token, browser=(await world.begun()).browser))
    identity = await world.prove_link(world.nobody(), ProveProviderLinkCommand(token=token, browser=browser))
    assert identity.user_id == account.id
    assert world.live_sessions(account.id) == []
    with pytest.raises(CodeRefused):
        await world.prove_link(world.nobody(), ProveProviderLinkCommand(token=token, browser=browser))


async def test_mailed_proof_dies_with_the_address_it_went_to(world: ProviderWorld) -> None:
    account = await world.an_owner()
    ticket, browser = await pending(world)
    await world.mail_link(world.nobody(), MailProviderLinkCommand(ticket=ticket, browser=browser))
    (mail,) = await world.settle()
    moved = account.with_address(EmailAddress.parse("new@example.org"), at=world.clock.now())
    async with world.uow(an_actor()) as unit:
        await unit.accounts.save(moved)
    with pytest.raises(CodeRefused):
        await world.prove_link(world.nobody(), ProveProviderLinkCommand(token=mail.values["token"], browser=browser))


async def test_mailed_proofs_are_few(world: ProviderWorld) -> None:
    await world.an_owner()
    ticket, browser = await pending(world)
    for _ in range(5):
        await world.mail_link(world.nobody(), MailProviderLinkCommand(ticket=ticket, browser=browser))
    assert len(await world.settle()) == 3


async def test_nothing_is_mailed_for_a_ticket_that_is_none(world: ProviderWorld) -> None:
    await world.an_owner()
    ticket, _ = await pending(world)
    for wrong, browser in ((ticket, "x"), ("x", "x"), ("", "")):
        with pytest.raises(ProviderFlowUnknown):
            await world.mail_link(world.nobody(), MailProviderLinkCommand(ticket=wrong, browser=browser))
    assert await world.settle() == []


async def test_identity_that_was_linked_elsewhere_meanwhile_is_refused(world: ProviderWorld) -> None:
    account, other = await world.an_owner(), await world.an_owner("other")
    ticket, browser = await pending(world)
    await world.linked_by(the_owner_of(other), a_person())
    with pytest.raises(IdentityTaken):
        await confirmed(world, the_owner_of(account), ticket, browser)


# Taking it away.


async def linked(world: ProviderWorld, account: UserAccount, *providers: Provider) -> list[Identity]:
    for provider in providers:
        await world.linked_by(the_owner_of(account), a_person(provider=provider, email=None))
    return world.identities_of(account)


async def test_owner_sees_the_own_identities(world: ProviderWorld) -> None:
    mine, other = await world.an_owner("mine"), await world.an_owner("other")
    await linked(world, mine, Provider.GOOGLE, Provider.GITHUB)
    listed = await world.list_identities(the_owner_of(mine), ListIdentitiesCommand())
    assert [identity.provider for identity in listed] == [Provider.GOOGLE, Provider.GITHUB]
    assert await world.list_identities(the_owner_of(other), ListIdentitiesCommand()) == []


async def test_unlinked_identity_signs_in_no_more(world: ProviderWorld) -> None:
    account = await world.an_owner()
    (identity,) = await linked(world, account, Provider.X)
    await world.unlink(the_owner_of(account), UnlinkIdentityCommand(identity_id=identity.id))
    outcome = (await world.signed_in_by(a_person(provider=Provider.X, email=None))).outcome
    assert isinstance(outcome, OpenedSession)
    assert outcome.session.user_id != account.id
    assert "auth.identity_unlinked" in world.audited(account.id)


@asvs("7.4.3")
async def test_unlinking_ends_the_other_sessions(world: ProviderWorld) -> None:
    account = await world.an_owner()
    (identity,) = await linked(world, account, Provider.X)
    owner = await world.in_session(account)
    await world.signed_in_by(a_person(provider=Provider.X, email=None))
    await world.unlink(owner, UnlinkIdentityCommand(identity_id=identity.id))
    assert [session.id for session in world.live_sessions(account.id)] == [owner.session_id]


async def test_last_way_to_sign_in_stays(world: ProviderWorld) -> None:
    account = await world.an_owner()
    async with world.uow(an_actor()) as unit:
        account = await unit.accounts.save(replace(account, password=None))
    first, second = await linked(world, account, Provider.X, Provider.GITHUB)
    await world.unlink(the_owner_of(account), UnlinkIdentityCommand(identity_id=first.id))
    with pytest.raises(LastSignInMethod):
        await world.unlink(the_owner_of(account), UnlinkIdentityCommand(identity_id=second.id))


async def test_passkey_is_a_way_to_sign_in(world: ProviderWorld) -> None:
    account = await world.an_owner()
    async with world.uow(an_actor()) as unit:
        account = await unit.accounts.save(replace(account, password=None))
        await unit.passkeys.add(a_passkey(account.id))
    (identity,) = await linked(world, account, Provider.X)
    await world.unlink(the_owner_of(account), UnlinkIdentityCommand(identity_id=identity.id))
    assert world.identities_of(account) == []


async def test_passkeys_of_an_unproven_account_end_when_its_owner_takes_it(world: ProviderWorld) -> None:
    made = await world.an_unproven()
    async with world.uow(an_actor()) as unit:
        await unit.passkeys.add(a_passkey(made.id))
    await world.signed_in_by(a_person())
    async with world.uow(an_actor()) as unit:
        assert not await unit.passkeys.list_of(made.id)


async def test_two_last_ways_cannot_go_at_once(world: ProviderWorld) -> None:
    account = await world.an_owner()
    async with world.uow(an_actor()) as unit:
        account = await unit.accounts.save(replace(account, password=None))
    identities = await linked(world, account, Provider.X, Provider.GITHUB)
    commands = [UnlinkIdentityCommand(identity_id=identity.id) for identity in identities]
    results = await asyncio.gather(*(world.unlink(the_owner_of(account), command) for command in commands), return_exceptions=True)
    assert sum(isinstance(result, TradingCoreError) for result in results) == 1
    assert len(world.identities_of(account)) == 1


async def test_unlinking_needs_a_recent_sign_in_and_the_own_identity(world: ProviderWorld) -> None:
    account, other = await world.an_owner(), await world.an_owner("other")
    (identity,) = await linked(world, account, Provider.X)
    command = UnlinkIdentityCommand(identity_id=identity.id)
    with pytest.raises(StepUpRequired):
        await world.unlink(the_owner_of(account, authentication_age=6 * MINUTE), command)
    with pytest.raises(IdentityNotFound):
        await world.unlink(the_owner_of(other), command)
    assert world.identities_of(account) == [identity]


async def test_keys_of_an_unproven_account_end_when_its_owner_takes_it(world: ProviderWorld) -> None:
    made = await world.an_unproven()
    key: ApiKey = an_api_key(user=KeyHolder(id=made.id, roles=made.roles, plan=made.plan))
    async with world.uow(an_actor()) as unit:
        await unit.api_keys.save(key)
    await world.signed_in_by(a_person())
    assert world.database.api_keys.rows[key.id].revoked_at is not None


# Proving presence.


async def stepped_up(world: ProviderWorld, owner: Actor, **person: Any) -> Session:
    begun = await world.begin_step_up(owner, BeginProviderStepUpCommand(provider=Provider.LOCAL))
    assert "prompt=login" in begun.authorization_url
    handle = await world.answered(begun, a_person(provider=Provider.LOCAL, email=None, **person))
    outcome = await world.completed(handle, begun.browser, owner)
    assert isinstance(outcome, SteppedUpSession)
    return outcome.session


@asvs("6.8.4", "7.6.1")
async def test_provider_that_asks_again_renews_the_session(world: ProviderWorld) -> None:
    account = await world.an_owner()
    await linked(world, account, Provider.LOCAL)
    owner = await world.in_session(account)
    world.wait(30 * MINUTE)
    session = await stepped_up(world, owner)
    assert session.id == owner.session_id
    assert session.authenticated_at == world.clock.now()
    assert session.methods == (AuthMethod.PASSWORD, AuthMethod.PROVIDER)


@asvs("6.8.4", "7.6.1")
async def test_step_up_takes_the_own_identity_and_a_fresh_proof(world: ProviderWorld) -> None:
    account = await world.an_owner()
    await linked(world, account, Provider.LOCAL)
    owner = await world.in_session(account)
    other = await world.an_owner("other")
    await world.linked_by(the_owner_of(other), a_person("of another account", provider=Provider.LOCAL, email=None))
    for subject in ("of nobody", "of another account"):
        with pytest.raises(IdentityRefused):
            await stepped_up(world, owner, subject=subject)
    with pytest.raises(IdentityRefused):
        await stepped_up(world, owner, authenticated_at=world.clock.now() - 6 * MINUTE)
    with pytest.raises(RuleViolation):
        await world.begin_step_up(owner, BeginProviderStepUpCommand(provider=Provider.GOOGLE))


# What a provider has deleted.


async def test_data_that_facebook_told_goes_when_it_asks(world: ProviderWorld) -> None:
    account = await world.an_owner()
    await world.linked_by(the_owner_of(account), a_person(provider=Provider.FACEBOOK, name=account.profile.display_name))
    request = world.deletions.sign("1234", at=world.clock.now())
    command = DeleteProviderDataCommand(provider=Provider.FACEBOOK, signed_request=request)
    code = await world.delete_data(world.nobody(), command)
    assert world.identities_of(account) == []
    left = world.account(account.id)
    assert (left.status, left.email, left.profile.display_name) == (AccountStatus.ACTIVE, account.email, "")
    shown = await world.show_deletion(
        world.nobody(), ShowProviderDataDeletionCommand(provider=Provider.FACEBOOK, confirmation=code)
    )
    assert shown == world.clock.now()
    # Nobody learns whether there was anything.
    again = await world.delete_data(world.nobody(), command)
    assert len(again) == len(code)


async def test_account_that_nobody_could_enter_any_more_is_closed(world: ProviderWorld) -> None:
    person = a_person(provider=Provider.FACEBOOK, email_trust=EmailTrust.PROVIDER)
    outcome = (await world.signed_in_by(person)).outcome
    assert isinstance(outcome, OpenedSession)
    request = world.deletions.sign("1234", at=world.clock.now())
    await world.delete_data(world.nobody(), DeleteProviderDataCommand(provider=Provider.FACEBOOK, signed_request=request))
    left = world.account(outcome.session.user_id)
    assert (left.status, left.email, left.profile.display_name) == (AccountStatus.CLOSED, None, "")
    assert world.live_sessions(left.id) == []


async def test_requests_that_the_provider_did_not_sign_delete_nothing(world: ProviderWorld) -> None:
    account = await world.an_owner()
    await world.linked_by(the_owner_of(account), a_person(provider=Provider.FACEBOOK))
    for request in ("", "1234|2026-03-02T12:00:00+00:00|00", world.deletions.sign("1234", at=world.clock.now() - 90 * MINUTE)):
        with pytest.raises(IdentityRefused):
            await world.delete_data(world.nobody(), DeleteProviderDataCommand(provider=Provider.FACEBOOK, signed_request=request))
    with pytest.raises(ProviderNotFound):
        await world.delete_data(world.nobody(), DeleteProviderDataCommand(provider=Provider.X, signed_request=""))
    assert len(world.identities_of(account)) == 1


async def test_confirmation_that_is_not_ours_shows_nothing(world: ProviderWorld) -> None:
    with pytest.raises(ProviderNotFound):
        await world.show_deletion(
            world.nobody(), ShowProviderDataDeletionCommand(provider=Provider.FACEBOOK, confirmation="00" * 20)
        )
