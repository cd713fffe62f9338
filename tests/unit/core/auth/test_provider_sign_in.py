"""Signing in, and getting an account, through an identity provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import product

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import SentMail
from tests.unit.core.auth.provider_world import ProviderWorld, a_person
from tradingcore.auth.errors import AccountDisabled, IdentityTaken, ProviderFlowUnknown, ProviderNotFound
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.account import FIRST_ROLE, AccountStatus, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, Identity, Provider
from tradingcore.auth.model.oauth_flow import FLOW_LIFETIME, ProviderAnswer
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.policies.linking import LocalState
from tradingcore.auth.ports.accounts import AccountLookup
from tradingcore.auth.use_cases.begin_provider import BeginProviderSignInCommand
from tradingcore.auth.use_cases.forget_provider_flows import ForgetProviderFlowsCommand
from tradingcore.auth.use_cases.provider_flows import PendingLink
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswerCommand
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession
from tradingcore.kernel.authz import Plan, Role, UserId
from tradingcore.kernel.errors import InvalidInput, PermissionDenied, TooManyAttempts
from tradingcore.testing.auth.builders import the_owner_of
from tradingcore.testing.builders import an_actor, an_id

GOOGLE = Provider.GOOGLE


@pytest.fixture
def world() -> ProviderWorld:
    return ProviderWorld()


async def test_first_sign_in_with_a_verified_address_makes_an_active_account(world: ProviderWorld) -> None:
    outcome = (await world.signed_in_by(a_person())).outcome
    assert isinstance(outcome, OpenedSession)
    account = world.account(outcome.session.user_id)
    assert (account.status, account.is_verified, account.password) == (AccountStatus.ACTIVE, True, None)
    assert (account.roles, account.profile.display_name) == (frozenset({FIRST_ROLE}), "Ana Pérez")
    assert outcome.session.methods == (AuthMethod.PROVIDER,)
    assert {"auth.account_registered", "auth.address_verified", "auth.identity_linked", "auth.signed_in"} <= set(
        world.audited(account.id)
    )


@pytest.mark.parametrize("email", [None, "ana@example.org"])
async def test_without_a_verified_address_the_account_waits_for_one(world: ProviderWorld, email: str | None) -> None:
    person = a_person(provider=Provider.FACEBOOK, email=email)
    person = replace(person, email_trust=EmailTrust.PROVIDER if email else EmailTrust.NONE)
    outcome = (await world.signed_in_by(person)).outcome
    assert isinstance(outcome, OpenedSession)
    account = world.account(outcome.session.user_id)
    assert (account.status, account.is_verified) == (AccountStatus.UNVERIFIED, False)
    assert [mail.template for mail in await world.settle()] == (["verify_address"] if email else [])


@asvs("6.8.1")
async def test_claimed_address_of_somebody_else_opens_nothing_and_tells_nothing(world: ProviderWorld) -> None:
    victim = await world.an_owner()
    person = a_person(provider=Provider.FACEBOOK, email_trust=EmailTrust.PROVIDER)
    outcome = (await world.signed_in_by(person)).outcome
    assert isinstance(outcome, OpenedSession)
    account = world.account(outcome.session.user_id)
    # Exactly what the claim of an address gives that nobody has.
    assert account.id != victim.id
    assert (account.status, account.email) == (AccountStatus.UNVERIFIED, person.email)
    assert world.account(victim.id) == victim
    assert await world.settle() == []


async def test_known_person_comes_back_to_the_same_account(world: ProviderWorld) -> None:
    first = (await world.signed_in_by(a_person())).outcome
    again = (await world.signed_in_by(a_person(email="moved@example.net"))).outcome
    assert isinstance(first, OpenedSession)
    assert isinstance(again, OpenedSession)
    assert first.session.user_id == again.session.user_id
    # What the provider says later never changes the account's own address.
    assert str(world.account(first.session.user_id).email) == "ana@example.org"


@asvs("6.8.1")
async def test_same_subject_at_another_provider_is_somebody_else(world: ProviderWorld) -> None:
    first = (await world.signed_in_by(a_person(email=None))).outcome
    other = (await world.signed_in_by(a_person(email=None, provider=Provider.GITHUB))).outcome
    assert isinstance(first, OpenedSession)
    assert isinstance(other, OpenedSession)
    assert first.session.user_id != other.session.user_id


async def test_second_factor_is_asked_for_all_the_same(world: ProviderWorld) -> None:
    account = await world.an_owner()
    await world.linked_by(the_owner_of(account), a_person())
    await world.give_totp(account)
    outcome = (await world.signed_in_by(a_person())).outcome
    assert isinstance(outcome, FactorRequired)
    assert world.live_sessions(account.id) == []


async def test_suspended_account_stays_shut(world: ProviderWorld) -> None:
    account = await world.an_owner(status=AccountStatus.FROZEN)
    async with world.uow(an_actor()) as unit:
        await unit.identities.save(Identity.link(a_person(), id=IdentityId(an_id()), user_id=account.id, at=world.clock.now()))
    with pytest.raises(AccountDisabled):
        await world.signed_in_by(a_person())


async def test_unproven_account_loses_everything_before_its_owner_takes_it(world: ProviderWorld) -> None:
    made = await world.an_unproven(roles=frozenset({Role.TRADER}), plan=Plan.PRO)
    await world.in_session(made)
    attacker = a_person("attacker", email="evil@example.net", provider=Provider.GITHUB)
    async with world.uow(an_actor()) as unit:
        await unit.identities.save(Identity.link(attacker, id=IdentityId(an_id()), user_id=made.id, at=world.clock.now()))
    outcome = (await world.signed_in_by(a_person())).outcome
    assert isinstance(outcome, OpenedSession)
    assert outcome.session.user_id == made.id
    account = world.account(made.id)
    assert (account.password, account.is_verified, account.status) == (None, True, AccountStatus.ACTIVE)
    assert (account.roles, account.plan) == (frozenset({FIRST_ROLE}), Plan.FREE)
    assert account.rights_version > made.rights_version
    assert [identity.provider for identity in world.identities_of(account)] == [GOOGLE]
    assert [session.id for session in world.live_sessions(made.id)] == [outcome.session.id]
    assert {"auth.account_taken_back", "auth.identity_unlinked"} <= set(world.audited(made.id))


async def test_unproven_account_gets_no_other_way_in(world: ProviderWorld) -> None:
    made = await world.an_unproven()
    with pytest.raises(PermissionDenied):
        await world.linked_by(await world.in_session(made), a_person("attacker", email="evil@example.net"))
    assert world.identities_of(made) == []


async def test_unproven_account_loses_its_factors_and_pending_proofs_too(world: ProviderWorld) -> None:
    await world.registered("ana")
    made = world.account_of("ana")
    await world.give_totp(made)
    outcome = (await world.signed_in_by(a_person())).outcome
    assert isinstance(outcome, OpenedSession)
    assert world.database.totp_factors.rows == {}
    assert all(row.value.used_at is not None for row in world.database.one_time_tokens.rows.values())


async def test_spelling_that_was_proven_is_the_address_from_then_on(world: ProviderWorld) -> None:
    # They are found by one spelling, and may be two mailboxes.
    await world.an_unproven("strasse")
    outcome = (await world.signed_in_by(a_person(email="straße@example.org"))).outcome
    assert isinstance(outcome, OpenedSession)
    assert str(world.account(outcome.session.user_id).email) == "straße@example.org"


async def test_suspended_unproven_account_is_not_opened_by_taking_it(world: ProviderWorld) -> None:
    await world.an_unproven(status=AccountStatus.FROZEN)
    with pytest.raises(AccountDisabled):
        await world.signed_in_by(a_person())


@asvs("6.8.1")
async def test_proven_account_is_never_merged_by_its_address(world: ProviderWorld) -> None:
    account = await world.an_owner()
    outcome = (await world.signed_in_by(a_person())).outcome
    assert isinstance(outcome, PendingLink)
    assert world.identities_of(account) == []
    assert world.live_sessions(account.id) == []
    assert world.account(account.id) == account


CELLS = list(product((False, True), EmailTrust, LocalState, (False, True)))


@asvs("6.8.1")
@pytest.mark.parametrize(("is_known", "trust", "local", "is_signed_in"), CELLS)
async def test_each_of_the_36_cells_ends_as_the_table_says(
    world: ProviderWorld,
    *,
    is_known: bool,
    trust: EmailTrust,
    local: LocalState,
    is_signed_in: bool,
) -> None:
    """The table is that of `test_linking`; here its outcomes happen."""
    holder = await world.an_owner("holder")
    person = a_person(email=None if trust is EmailTrust.NONE else "contested@example.org", email_trust=trust)
    if is_known:
        await world.linked_by(the_owner_of(holder), person)
    claimant = None
    if local is LocalState.VERIFIED:
        claimant = await world.an_owner("contested")
    elif local is LocalState.UNVERIFIED:
        claimant = await world.an_unproven("contested")
    before = len(world.accounts)
    if is_signed_in:
        outcome = (await world.linked_by(the_owner_of(holder), person)).outcome
        assert isinstance(outcome, Identity)
        assert (outcome.user_id, len(world.accounts)) == (holder.id, before)
        return
    outcome = (await world.signed_in_by(person)).outcome
    if is_known:
        assert isinstance(outcome, OpenedSession)
        assert (outcome.session.user_id, len(world.accounts)) == (holder.id, before)
    elif trust is EmailTrust.VERIFIED and local is LocalState.VERIFIED:
        assert isinstance(outcome, PendingLink)
        assert len(world.accounts) == before
    elif trust is EmailTrust.VERIFIED and local is LocalState.UNVERIFIED:
        assert isinstance(outcome, OpenedSession)
        assert claimant is not None
        assert (outcome.session.user_id, len(world.accounts)) == (claimant.id, before)
        assert world.account(claimant.id).password is None
    else:
        assert isinstance(outcome, OpenedSession)
        assert len(world.accounts) == before + 1
        assert world.account(outcome.session.user_id).is_verified is (trust is EmailTrust.VERIFIED)
    if claimant is not None and not (trust is EmailTrust.VERIFIED and local is LocalState.UNVERIFIED and not is_known):
        assert world.account(claimant.id) == claimant


# Who may finish what.


async def test_handle_works_once(world: ProviderWorld) -> None:
    begun = await world.begun()
    handle = await world.answered(begun, a_person())
    await world.completed(handle, begun.browser)
    with pytest.raises(ProviderFlowUnknown):
        await world.completed(handle, begun.browser)


async def test_of_equal_handles_at_once_one_signs_in(world: ProviderWorld) -> None:
    begun = await world.begun()
    handle = await world.answered(begun, a_person())
    results = await asyncio.gather(*(world.completed(handle, begun.browser) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, OpenedSession) for result in results) == 1


async def test_one_person_in_two_browsers_at_once_gets_one_account(world: ProviderWorld) -> None:
    results = await asyncio.gather(*(world.signed_in_by(a_person()) for _ in range(3)))
    outcomes = [result.outcome for result in results]
    users = {outcome.session.user_id for outcome in outcomes if isinstance(outcome, OpenedSession)}
    assert (len(users), len(world.accounts)) == (1, 1)


@asvs("10.1.2", "10.2.1")
async def test_another_browser_cannot_finish(world: ProviderWorld) -> None:
    mine, others = await world.begun(), await world.begun()
    handle = await world.answered(mine, a_person())
    for browser in ("", "x", opaque_token(b"x" * 32), others.browser):
        with pytest.raises(ProviderFlowUnknown):
            await world.completed(handle, browser)
    assert isinstance(await world.completed(handle, mine.browser), OpenedSession)


@asvs("10.1.2")
async def test_answers_of_two_flows_cannot_be_swapped(world: ProviderWorld) -> None:
    mine, attackers = await world.begun(), await world.begun()
    state, _ = world.providers[GOOGLE].approve(mine.authorization_url, a_person())
    _, answer = world.providers[GOOGLE].approve(attackers.authorization_url, a_person("attacker"))
    handle = await world.receive(world.nobody(), ReceiveProviderAnswerCommand(provider=GOOGLE, state=state, answer=answer))
    with pytest.raises(Exception, match="did not prove"):
        await world.completed(handle, mine.browser)


@asvs("10.2.2")
async def test_answer_at_the_callback_of_another_provider_is_refused(world: ProviderWorld) -> None:
    begun = await world.begun()
    handle = await world.answered(begun, a_person(), at=Provider.GITHUB)
    with pytest.raises(ProviderFlowUnknown):
        await world.completed(handle, begun.browser)


async def test_flow_ends_after_ten_minutes(world: ProviderWorld) -> None:
    begun = await world.begun()
    handle = await world.answered(begun, a_person())
    world.wait(FLOW_LIFETIME)
    with pytest.raises(ProviderFlowUnknown):
        await world.completed(handle, begun.browser)
    assert await world.forget_flows(an_actor(), ForgetProviderFlowsCommand()) == 1


@pytest.mark.parametrize("handle", ["", "x", "v1.AAAA", "../", "é", "0." + "A" * 4000])
async def test_handle_that_is_none_is_refused(world: ProviderWorld, handle: str) -> None:
    begun = await world.begun()
    with pytest.raises(ProviderFlowUnknown):
        await world.completed(handle, begun.browser)


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("", ProviderAnswer(code="c")),
        ("short", ProviderAnswer(code="c")),
        ("é" * 43, ProviderAnswer(code="c")),
        ("s" * 43, ProviderAnswer(code="c" * 2049)),
        ("s" * 43, ProviderAnswer(error="e" * 201)),
        ("s" * 43, ProviderAnswer(issuer="i" * 201)),
        ("s" * 43, ProviderAnswer(user="u" * 1025)),
    ],
)
async def test_answer_that_none_can_be_gets_no_handle(world: ProviderWorld, state: str, answer: ProviderAnswer) -> None:
    with pytest.raises(ProviderFlowUnknown):
        await world.receive(world.nobody(), ReceiveProviderAnswerCommand(provider=GOOGLE, state=state, answer=answer))


async def test_provider_that_is_off_does_not_exist(world: ProviderWorld) -> None:
    del world.providers[Provider.X]
    with pytest.raises(ProviderNotFound):
        await world.begun(Provider.X)
    command = ReceiveProviderAnswerCommand(provider=Provider.X, state="s" * 43, answer=ProviderAnswer(code="c"))
    with pytest.raises(ProviderNotFound):
        await world.receive(world.nobody(), command)


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil", "/sign-in/../x", "", "/account?x=//e"])
async def test_browser_comes_back_to_our_own_paths_only(world: ProviderWorld, path: str) -> None:
    with pytest.raises(InvalidInput):
        await world.begin_sign_in(world.nobody(), BeginProviderSignInCommand(provider=GOOGLE, next=path))


async def test_store_holds_nothing_that_finishes_a_sign_in(world: ProviderWorld) -> None:
    begun = await world.begun()
    handle = await world.answered(begun, a_person())
    (row,) = world.database.oauth_flows.rows.values()
    stored = repr(row.value.flow)
    state = begun.authorization_url.partition("state=")[2].partition("&")[0]
    for secret in (begun.browser, state, handle):
        assert secret not in stored


async def test_accounts_from_one_network_are_limited(world: ProviderWorld) -> None:
    for number in range(10):
        await world.signed_in_by(a_person(f"person {number}", email=f"p{number}@example.org"))
    with pytest.raises(TooManyAttempts):
        await world.signed_in_by(a_person("one more", email="more@example.org"))
    # Who has an account is none of these.
    assert isinstance((await world.signed_in_by(a_person("person 1", email=None))).outcome, OpenedSession)


class ProvenMeanwhile(AccountLookup):
    """Somebody else proves the address right after it was looked up."""

    def __init__(self, world: ProviderWorld, mail: SentMail) -> None:
        self._world = world
        self._mail: SentMail | None = mail

    async def by_email(self, email: EmailAddress) -> UserAccount | None:
        found = await self._world.lookup.by_email(email)
        if self._mail is not None:
            mail, self._mail = self._mail, None
            await self._world.verify_by(mail)
        return found

    async def by_one_time_token(self, token_hash: bytes, purpose: TokenPurpose) -> UserId | None:
        return await self._world.lookup.by_one_time_token(token_hash, purpose)


async def test_account_that_is_proven_at_the_last_moment_is_not_taken(world: ProviderWorld) -> None:
    mail = await world.registered("ana")
    begun = await world.begun()
    handle = await world.answered(begun, a_person())
    world.complete = replace(world.complete, accounts=ProvenMeanwhile(world, mail))
    assert isinstance(await world.completed(handle, begun.browser), PendingLink)
    assert world.account_of("ana").password is not None


async def test_identity_of_another_account_cannot_be_linked(world: ProviderWorld) -> None:
    first, second = await world.an_owner("first"), await world.an_owner("second")
    await world.linked_by(the_owner_of(first), a_person())
    with pytest.raises(IdentityTaken):
        await world.linked_by(the_owner_of(second), a_person())
    assert world.identities_of(second) == []


async def test_flow_of_one_session_cannot_be_finished_in_another(world: ProviderWorld) -> None:
    account = await world.an_owner()
    mine = the_owner_of(account)
    for other in (world.nobody(), the_owner_of(account), the_owner_of(await world.an_owner("other"))):
        begun = await world.begun_link(mine)
        handle = await world.answered(begun, a_person())
        with pytest.raises(ProviderFlowUnknown):
            await world.completed(handle, begun.browser, other)
    assert world.identities_of(account) == []
