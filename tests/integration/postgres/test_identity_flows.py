"""What people do at identity providers, as ``tc_api`` on real rows: what memory lets pass is not refused here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from dependency_injector import providers as wired
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.memory.auth.identity_provider import MemoryDeletionRequests, MemoryIdentityProvider
from adapters.postgres.connect import connected
from adapters.postgres.tables.auth.accounts import user_accounts
from entrypoints.container import Container
from entrypoints.sections import PasswordsSection
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.errors import LastSignInMethod, ProviderFlowUnknown
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, Identity, ProvenIdentity, Provider
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.use_cases.begin_provider import (
    BeginProviderLinkCommand,
    BeginProviderSignInCommand,
    BeginProviderStepUpCommand,
)
from tradingcore.auth.use_cases.complete_provider_sign_in import CompleteProviderSignInCommand, ProviderOutcome
from tradingcore.auth.use_cases.confirm_provider_link import ConfirmProviderLinkCommand, MailProviderLinkCommand
from tradingcore.auth.use_cases.delete_provider_data import DeleteProviderDataCommand
from tradingcore.auth.use_cases.forget_provider_flows import ForgetProviderFlowsCommand
from tradingcore.auth.use_cases.list_identities import ListIdentitiesCommand
from tradingcore.auth.use_cases.provider_flows import BegunFlow, PendingLink
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswerCommand
from tradingcore.auth.use_cases.session_opening import OpenedSession
from tradingcore.auth.use_cases.step_up import SteppedUpSession
from tradingcore.auth.use_cases.unlink_identity import UnlinkIdentityCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.auth.builders import an_account, an_address, the_owner_of
from tradingcore.testing.builders import an_actor

CALLER = Caller(network=NetworkPrefix.of("203.0.113.7"), device_label="Firefox on Linux")


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {user_accounts} cascade")
    return shared_database


class People:
    """Callers of an API process, and the platform for what they cannot do themselves."""

    def __init__(self, api_engine: AsyncEngine, worker_engine: AsyncEngine) -> None:
        self.api = self._container(api_engine)
        self.worker = self._container(worker_engine)
        self.worker.key_rings.override(wired.Object(self.api.key_rings()))
        clock = self.api.clock()
        self.providers = {name: MemoryIdentityProvider(name, clock, proves_presence=name is Provider.LOCAL) for name in Provider}
        self.deletions = MemoryDeletionRequests(b"k" * 32)
        self.api.identity_providers.override(wired.Object(self.providers))
        self.api.deletion_requests.override(wired.Object({Provider.FACEBOOK: self.deletions}))

    def _container(self, engine: AsyncEngine) -> Container:
        secrets: Any = {"secret_of": lambda name: name.encode().ljust(32, b"."), "passwords": PasswordsSection(bcrypt_cost=4)}
        return Container(storage_kind="postgres", engine=engine, **secrets)

    def nobody(self) -> Actor:
        return Actor.anonymous(self.api.ids().new_trace_id())

    async def stored(self, name: str, **overrides: Any) -> UserAccount:
        async with self.worker.auth_uow()(an_actor()) as unit:
            saved: UserAccount = await unit.accounts.save(an_account(email=an_address(name), **overrides))
            return saved

    async def account(self, owner: UserAccount) -> UserAccount:
        async with self.worker.auth_uow()(an_actor()) as unit:
            found: UserAccount = await unit.accounts.get(owner.id)
            return found

    async def in_session(self, account: UserAccount) -> Actor:
        opened = await self.api.session_opener().open(self.nobody(), account, method=AuthMethod.PASSWORD, caller=CALLER)
        assert isinstance(opened, OpenedSession)
        return the_owner_of(account, session_id=opened.session.id)

    async def finished(self, begun: BegunFlow, person: ProvenIdentity, actor: Actor | None = None) -> ProviderOutcome:
        state, answer = self.providers[person.provider].approve(begun.authorization_url, person)
        received = ReceiveProviderAnswerCommand(provider=person.provider, state=state, answer=answer)
        # As a GET, which may write nothing.
        handle = await self.api.receive_provider_answer()(self.nobody(), received)
        command = CompleteProviderSignInCommand(handle=handle, browser=begun.browser, caller=CALLER)
        outcome: ProviderOutcome = (await self.api.complete_provider_sign_in()(actor or self.nobody(), command)).outcome
        return outcome

    async def sign_in(self, person: ProvenIdentity) -> tuple[str, ProviderOutcome]:
        command = BeginProviderSignInCommand(provider=person.provider, next="/")
        begun = await self.api.begin_provider_sign_in()(self.nobody(), command)
        return begun.browser, await self.finished(begun, person)

    async def link(self, owner: Actor, person: ProvenIdentity) -> ProviderOutcome:
        begun = await self.api.begin_provider_link()(owner, BeginProviderLinkCommand(provider=person.provider, next="/"))
        return await self.finished(begun, person, owner)

    async def identities(self, owner: Actor) -> list[Identity]:
        return list(await self.api.list_identities()(owner, ListIdentitiesCommand()))


@pytest.fixture
def people(api_engine: AsyncEngine, worker_engine: AsyncEngine) -> People:
    return People(api_engine, worker_engine)


def a_person(subject: str, email: str | None, *, provider: Provider = Provider.GOOGLE, is_verified: bool = True) -> ProvenIdentity:
    trust = EmailTrust.NONE if email is None else EmailTrust.VERIFIED if is_verified else EmailTrust.PROVIDER
    address = None if email is None else EmailAddress.parse(email)
    return ProvenIdentity(provider=provider, subject=subject, email=address, email_trust=trust, name="Ana Pérez")


async def test_new_person_gets_an_account_and_comes_back_to_it(people: People) -> None:
    _, first = await people.sign_in(a_person("1", "new@example.org"))
    _, again = await people.sign_in(a_person("1", "moved@example.org"))
    assert isinstance(first, OpenedSession)
    assert isinstance(again, OpenedSession)
    assert first.session.user_id == again.session.user_id


async def test_person_without_a_proven_address_gets_an_account_that_waits(people: People) -> None:
    for person in (a_person("2", None, provider=Provider.X), a_person("3", "claim@example.org", is_verified=False)):
        _, outcome = await people.sign_in(person)
        assert isinstance(outcome, OpenedSession)


async def test_unproven_account_is_taken_back_with_nothing_left(people: People, database: TestDatabase) -> None:
    made = await people.stored("contested")
    attacker = await people.in_session(made)
    await people.link(attacker, a_person("evil", None, provider=Provider.GITHUB))
    async with connected(database.administrator) as connection:
        await connection.execute("update public.user_accounts set status = 'unverified', verified_at = null")
    _, outcome = await people.sign_in(a_person("4", "contested@example.org"))
    assert isinstance(outcome, OpenedSession)
    assert outcome.session.user_id == made.id
    left = await people.account(made)
    assert (left.password, left.is_verified) == (None, True)
    owner = the_owner_of(left, session_id=outcome.session.id)
    assert [identity.provider for identity in await people.identities(owner)] == [Provider.GOOGLE]
    async with connected(database.administrator) as connection:
        live = await connection.fetchval("select count(*) from public.sessions where ended_at is null")
        told = await connection.fetchval("select count(*) from audit.events where type = 'auth.account_taken_back'")
    assert (live, told) == (1, 1)


async def test_proven_account_is_linked_by_its_owner_only(people: People) -> None:
    account = await people.stored("proven")
    browser, outcome = await people.sign_in(a_person("5", "proven@example.org"))
    assert isinstance(outcome, PendingLink)
    await people.api.mail_provider_link()(people.nobody(), MailProviderLinkCommand(ticket=outcome.ticket, browser=browser))
    stranger = await people.in_session(await people.stored("stranger"))
    command = ConfirmProviderLinkCommand(ticket=outcome.ticket, browser=browser)
    with pytest.raises(ProviderFlowUnknown):
        await people.api.confirm_provider_link()(stranger, command)
    owner = await people.in_session(account)
    assert (await people.api.confirm_provider_link()(owner, command)).user_id == account.id
    _, again = await people.sign_in(a_person("5", "proven@example.org"))
    assert isinstance(again, OpenedSession)


async def test_owner_links_steps_up_and_unlinks(people: People) -> None:
    account = await people.stored("owner")
    owner = await people.in_session(account)
    linked = await people.link(owner, a_person("6", None, provider=Provider.LOCAL))
    assert isinstance(linked, Identity)
    command = BeginProviderStepUpCommand(provider=Provider.LOCAL, next="/")
    begun = await people.api.begin_provider_step_up()(owner, command)
    assert isinstance(await people.finished(begun, a_person("6", None, provider=Provider.LOCAL), owner), SteppedUpSession)
    await people.api.unlink_identity()(owner, UnlinkIdentityCommand(identity_id=linked.id))
    assert await people.identities(owner) == []


async def test_last_way_in_stays(people: People) -> None:
    _, outcome = await people.sign_in(a_person("7", "only@example.org"))
    assert isinstance(outcome, OpenedSession)
    account = await people.account(an_account(id=outcome.session.user_id))
    owner = the_owner_of(account, session_id=outcome.session.id)
    (identity,) = await people.identities(owner)
    with pytest.raises(LastSignInMethod):
        await people.api.unlink_identity()(owner, UnlinkIdentityCommand(identity_id=identity.id))


async def test_data_of_a_provider_goes_and_the_empty_account_closes(people: People) -> None:
    person = a_person("8", "fb@example.org", provider=Provider.FACEBOOK, is_verified=False)
    _, outcome = await people.sign_in(person)
    assert isinstance(outcome, OpenedSession)
    request = people.deletions.sign("8", at=people.api.clock().now())
    command = DeleteProviderDataCommand(provider=Provider.FACEBOOK, signed_request=request)
    await people.api.delete_provider_data()(people.nobody(), command)
    left = await people.account(an_account(id=outcome.session.user_id))
    assert (left.status, left.email) == (AccountStatus.CLOSED, None)


async def test_one_person_in_many_browsers_at_once_gets_one_account(people: People, database: TestDatabase) -> None:
    finished = await asyncio.gather(*(people.sign_in(a_person("9", "rush@example.org")) for _ in range(3)))
    users = {outcome.session.user_id for _, outcome in finished if isinstance(outcome, OpenedSession)}
    assert len(users) == 1
    async with connected(database.administrator) as connection:
        assert await connection.fetchval("select count(*) from public.user_accounts") == 1


async def test_handle_that_comes_many_times_at_once_signs_in_once(people: People) -> None:
    begun = await people.api.begin_provider_sign_in()(
        people.nobody(), BeginProviderSignInCommand(provider=Provider.GOOGLE, next="/")
    )
    state, answer = people.providers[Provider.GOOGLE].approve(begun.authorization_url, a_person("10", None))
    received = ReceiveProviderAnswerCommand(provider=Provider.GOOGLE, state=state, answer=answer)
    handle = await people.api.receive_provider_answer()(people.nobody(), received)
    command = CompleteProviderSignInCommand(handle=handle, browser=begun.browser, caller=CALLER)
    results = await asyncio.gather(
        *(people.api.complete_provider_sign_in()(people.nobody(), command) for _ in range(16)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, ProviderFlowUnknown) for result in results) == 15


async def test_two_last_ways_in_cannot_go_at_once(people: People) -> None:
    for number in range(4):
        account = await people.stored(f"both{number}", password=None)
        owner = await people.in_session(account)
        for provider in (Provider.X, Provider.GITHUB):
            await people.link(owner, a_person(f"both{number}", None, provider=provider))
        commands = [UnlinkIdentityCommand(identity_id=identity.id) for identity in await people.identities(owner)]
        results = await asyncio.gather(
            *(people.api.unlink_identity()(owner, command) for command in commands), return_exceptions=True
        )
        assert sum(isinstance(result, StaleVersion | LastSignInMethod) for result in results) == 1
        assert len(await people.identities(owner)) == 1


async def test_worker_forgets_what_nobody_finished(people: People, database: TestDatabase) -> None:
    await people.api.begin_provider_sign_in()(people.nobody(), BeginProviderSignInCommand(provider=Provider.GOOGLE, next="/"))
    async with connected(database.administrator) as connection:
        await connection.execute("update public.oauth_flows set expires_at = now() - interval '1 minute'")
    assert await people.worker.forget_provider_flows()(an_actor(), ForgetProviderFlowsCommand()) == 1
