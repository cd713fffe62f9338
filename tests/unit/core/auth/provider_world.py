"""People, their providers and their browsers, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmSealer
from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import SigningRing
from adapters.memory.auth.factors import MemoryFactorLookup
from adapters.memory.auth.identities import MemoryIdentityLookup
from adapters.memory.auth.identity_provider import MemoryDeletionRequests, MemoryIdentityProvider
from tests.authenticator import CEREMONIES
from tests.unit.core.auth.accounts_world import NETWORK, AccountsWorld, SentMail
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.identity import EmailTrust, Identity, ProvenIdentity, Provider
from tradingcore.auth.model.session import AuthMethod, Session
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.use_cases.begin_provider import (
    BeginProviderLink,
    BeginProviderLinkCommand,
    BeginProviderSignIn,
    BeginProviderSignInCommand,
    BeginProviderStepUp,
)
from tradingcore.auth.use_cases.complete_provider_sign_in import (
    CompleteProviderSignIn,
    CompleteProviderSignInCommand,
    ProviderOutcome,
)
from tradingcore.auth.use_cases.confirm_provider_link import ConfirmProviderLink, MailProviderLink, ProveProviderLink
from tradingcore.auth.use_cases.delete_provider_data import DeleteProviderData, ShowProviderDataDeletion
from tradingcore.auth.use_cases.device_trust import DeviceTrust
from tradingcore.auth.use_cases.forget_provider_flows import ForgetProviderFlows
from tradingcore.auth.use_cases.identity_linking import IdentityLinks
from tradingcore.auth.use_cases.list_identities import ListIdentities
from tradingcore.auth.use_cases.provider_flows import BegunFlow, ProviderFlows
from tradingcore.auth.use_cases.receive_provider_answer import ReceiveProviderAnswer, ReceiveProviderAnswerCommand
from tradingcore.auth.use_cases.second_factor import SecondFactors
from tradingcore.auth.use_cases.session_opening import OpenedSession, SessionOpener
from tradingcore.auth.use_cases.step_up import Renewal
from tradingcore.auth.use_cases.token_issuing import TokenIssuer
from tradingcore.auth.use_cases.unlink_identity import UnlinkIdentity
from tradingcore.auth.use_cases.verify_address import VerifyAddressCommand
from tradingcore.kernel.authz import Actor
from tradingcore.testing.auth.builders import the_owner_of
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeSecrets, SequentialIds

CALLER = Caller(network=NETWORK, device_label="Firefox on Linux")
RING = SigningRing.fresh()
SECRET = bytes(range(20))


def a_person(subject: str = "1234", *, email: str | None = "ana@example.org", **overrides: Any) -> ProvenIdentity:
    """At Google, with a verified address."""
    fields: dict[str, Any] = {
        "provider": Provider.GOOGLE,
        "subject": subject,
        "email": None if email is None else EmailAddress.parse(email),
        "email_trust": EmailTrust.NONE if email is None else EmailTrust.VERIFIED,
        "name": "Ana Pérez",
    }
    return ProvenIdentity(**(fields | overrides))


@dataclass(frozen=True)
class Finished:
    browser: str
    outcome: ProviderOutcome


class ProviderWorld(AccountsWorld):
    def __init__(self) -> None:
        super().__init__()
        ids, secrets = SequentialIds(1 << 44), FakeSecrets("providers")
        sealer = AesGcmSealer(fixed_ring(), index_key=bytes(32))
        self.providers = {
            name: MemoryIdentityProvider(name, self.clock, proves_presence=name is Provider.LOCAL) for name in Provider
        }
        self.deletions = MemoryDeletionRequests(b"k" * 32)
        factors = SecondFactors(
            lookup=MemoryFactorLookup(self.database),
            ceremonies=CEREMONIES,
            attempts=self.attempts,
            limits=self.limits,
            policy=FactorPolicy(),
            clock=self.clock,
            ids=ids,
            secrets=secrets,
        )
        tokens = JoserfcAccessTokens(lambda: RING, issuer="us", audience="our api")
        issuer = TokenIssuer(access_tokens=tokens, ids=ids, secrets=secrets)
        self.opener = SessionOpener(
            uow=self.uow,
            factors=factors,
            devices=DeviceTrust(lookup=MemoryFactorLookup(self.database), clock=self.clock, ids=ids, secrets=secrets),
            issuer=issuer,
            mailer=self.mailer,
            sealer=sealer,
            clock=self.clock,
            ids=ids,
        )
        self.flows = ProviderFlows(
            uow=self.uow,
            providers=self.providers,
            sealer=self.sealer,
            clock=self.clock,
            secrets=secrets,
            next_paths=frozenset({"/sign-in", "/account"}),
        )
        links = IdentityLinks(mailer=self.mailer, clock=self.clock, ids=ids)
        found = MemoryIdentityLookup(self.database)
        self.begin_sign_in = BeginProviderSignIn(flows=self.flows)
        self.begin_link = BeginProviderLink(flows=self.flows)
        self.begin_step_up = BeginProviderStepUp(flows=self.flows)
        self.receive = ReceiveProviderAnswer(flows=self.flows)
        self.complete = CompleteProviderSignIn(
            uow=self.uow,
            flows=self.flows,
            identities=found,
            accounts=self.lookup,
            links=links,
            opener=self.opener,
            renewal=Renewal(issuer=issuer, clock=self.clock),
            requests=self.requests,
            attempts=self.attempts,
            limits=self.limits,
            clock=self.clock,
            ids=ids,
        )
        self.confirm = ConfirmProviderLink(uow=self.uow, flows=self.flows, links=links)
        self.mail_link = MailProviderLink(
            uow=self.uow, flows=self.flows, attempts=self.attempts, limits=self.limits, mailer=self.mailer
        )
        self.prove_link = ProveProviderLink(uow=self.uow, lookup=self.lookup, flows=self.flows, links=links, clock=self.clock)
        self.list_identities = ListIdentities(uow=self.uow)
        self.unlink = UnlinkIdentity(uow=self.uow, clock=self.clock)
        deletions = {Provider.FACEBOOK: self.deletions}
        self.delete_data = DeleteProviderData(uow=self.uow, requests=deletions, identities=found, clock=self.clock)
        self.show_deletion = ShowProviderDataDeletion(requests=deletions)
        self.forget_flows = ForgetProviderFlows(uow=self.uow, clock=self.clock)

    async def begun(self, provider: Provider = Provider.GOOGLE) -> BegunFlow:
        return await self.begin_sign_in(self.nobody(), BeginProviderSignInCommand(provider=provider))

    async def answered(self, begun: BegunFlow, person: ProvenIdentity, *, at: Provider | None = None) -> str:
        """The person says yes; the browser brings the answer to the callback (of ``at``) and gets a handle."""
        state, answer = self.providers[person.provider].approve(begun.authorization_url, person)
        command = ReceiveProviderAnswerCommand(provider=at or person.provider, state=state, answer=answer)
        return await self.receive(self.nobody(), command)

    async def completed(self, handle: str, browser: str, actor: Actor | None = None) -> ProviderOutcome:
        command = CompleteProviderSignInCommand(handle=handle, browser=browser, caller=CALLER)
        return (await self.complete(actor or self.nobody(), command)).outcome

    async def signed_in_by(self, person: ProvenIdentity) -> Finished:
        """The whole dance."""
        begun = await self.begun(person.provider)
        handle = await self.answered(begun, person)
        return Finished(begun.browser, await self.completed(handle, begun.browser))

    async def begun_link(self, owner: Actor, provider: Provider = Provider.GOOGLE) -> BegunFlow:
        return await self.begin_link(owner, BeginProviderLinkCommand(provider=provider))

    async def verify_by(self, mail: SentMail) -> None:
        await self.verify(self.nobody(), VerifyAddressCommand(token=mail.values["token"]))

    async def linked_by(self, owner: Actor, person: ProvenIdentity) -> Finished:
        begun = await self.begun_link(owner, person.provider)
        handle = await self.answered(begun, person)
        return Finished(begun.browser, await self.completed(handle, begun.browser, owner))

    async def an_unproven(self, name: str = "ana", **overrides: Any) -> UserAccount:
        """A stored account that has not proven its address, with the password `PASSWORD`."""
        return await self.an_owner(name, **{"status": AccountStatus.UNVERIFIED, "verified_at": None, **overrides})

    async def in_session(self, account: UserAccount) -> Actor:
        """The owner in a session that is stored."""
        opened = await self.opener.open(self.nobody(), account, method=AuthMethod.PASSWORD, caller=CALLER)
        assert isinstance(opened, OpenedSession)
        return the_owner_of(account, session_id=opened.session.id)

    async def give_totp(self, account: UserAccount) -> None:
        async with self.uow(an_actor()) as unit:
            await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=self.clock.now()), SECRET)
            await unit.totp_factors.confirm(account.id, step=0, at=self.clock.now())

    def identities_of(self, account: UserAccount) -> list[Identity]:
        return [row for row in self.database.identities.rows.values() if row.user_id == account.id]

    def session_of(self, actor: Actor) -> Session:
        return next(row for row in self.database.sessions.rows.values() if row.id == actor.session_id)

    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)
