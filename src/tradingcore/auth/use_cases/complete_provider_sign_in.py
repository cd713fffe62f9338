from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

from tradingcore.auth.errors import AddressTaken, IdentityRefused, IdentityTaken
from tradingcore.auth.events import VerificationRequested
from tradingcore.auth.model.account import Profile, UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.identity import EmailTrust, Identity, ProvenIdentity
from tradingcore.auth.model.oauth_flow import FRESH_PROOF, FlowPurpose, OAuthFlow
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.linking import Linking, LocalState, decide
from tradingcore.auth.ports.accounts import AccountLookup
from tradingcore.auth.ports.identities import IdentityLookup
from tradingcore.auth.use_cases.identity_linking import IdentityLinks, LinkingUnitOfWork, take_back
from tradingcore.auth.use_cases.provider_flows import PendingLink, ProviderFlows
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.auth.use_cases.session_opening import SessionOpener, SignInOutcome, require_enabled, require_proven
from tradingcore.auth.use_cases.step_up import Renewal, SteppedUpSession
from tradingcore.auth.use_cases.verify_address import AskedAddress
from tradingcore.kernel.authz import Actor, Assurance, Permission, UserId
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import AttemptLimiter, Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

ATTEMPTS: Final = 3
"""Somebody else may link, verify or take over the same things meanwhile; then everything is looked at anew."""

ProviderOutcome: TypeAlias = SignInOutcome | PendingLink | Identity | SteppedUpSession
"""Signed in or asked for a second factor; asked to prove the account first; linked; stepped up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteProviderSignInCommand:
    """``handle`` is what the callback gave, ``browser`` what the cookie holds. ``locale`` is for an account that may be made."""

    handle: str = field(repr=False)
    browser: str = field(repr=False)
    caller: Caller
    locale: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFlow:
    """``next`` is where the browser wanted to go."""

    next: str
    outcome: ProviderOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteProviderSignIn(UseCase[CompleteProviderSignInCommand, FinishedFlow]):
    """Redeem a provider's answer and do what the rules of linking say.

    Raises `ProviderFlowUnknown`, `IdentityRefused`, `IdentityTaken`, `AccountDisabled`, `CredentialRefused` when the account has
    changed meanwhile, `FactorNeeded` for a step-up of a session of two factors, `TooManyAttempts` for too many new accounts from
    one network, `Unavailable`, `StaleVersion`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    flows: ProviderFlows
    identities: IdentityLookup
    accounts: AccountLookup
    links: IdentityLinks
    opener: SessionOpener
    renewal: Renewal
    requests: SealedRequests
    attempts: AttemptLimiter
    limits: AttemptPolicy
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: CompleteProviderSignInCommand) -> FinishedFlow:
        flow, proven = await self.flows.identify(actor, handle=command.handle, browser=command.browser)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return FinishedFlow(next=flow.next, outcome=await self._settle(actor, flow, proven, command))
            except (StaleVersion, AddressTaken, IdentityTaken):
                if attempt == ATTEMPTS or flow.purpose is not FlowPurpose.SIGN_IN:
                    raise
        raise AssertionError("unreachable")

    async def _settle(
        self, actor: Actor, flow: OAuthFlow, proven: ProvenIdentity, command: CompleteProviderSignInCommand
    ) -> ProviderOutcome:
        owner = await self.identities.owner_of(proven.provider, proven.subject)
        if flow.purpose is FlowPurpose.STEP_UP:
            return await self._step_up(actor, flow, proven, owner)
        local = None if proven.email is None else await self.accounts.by_email(proven.email)
        match decide(
            is_known=owner is not None,
            trust=proven.email_trust,
            local=_state_of(local),
            is_signed_in=flow.purpose is FlowPurpose.LINK,
            is_own=owner is not None and owner == flow.user_id,
        ):
            case Linking.SIGN_IN if owner is not None:
                return await self._sign_in(actor, owner, command.caller)
            case Linking.KEEP if owner is not None:
                return await self._own(actor, owner, proven)
            case Linking.LINK if flow.user_id is not None:
                return await self._link(actor, flow.user_id, proven)
            case Linking.PROVE if local is not None:
                return await self.flows.postpone(actor, flow, proven, local.id)
            case Linking.TAKE_OVER if local is not None:
                return await self._take_over(actor, local, proven, command.caller)
            case Linking.CREATE | Linking.CREATE_UNVERIFIED:
                return await self._create(actor, proven, command)
        raise IdentityTaken(f"this {proven.provider.value} account is linked to another account: sign in there, or unlink it there")

    async def _sign_in(self, actor: Actor, owner: UserId, caller: Caller) -> SignInOutcome:
        async with self.uow(actor.acting_for(owner)) as unit:
            account = await unit.accounts.get(owner)
        return await self.opener.open(actor, account, method=AuthMethod.PROVIDER, caller=caller)

    async def _own(self, actor: Actor, owner: UserId, proven: ProvenIdentity) -> Identity:
        async with self.uow(actor) as unit:
            own = await unit.identities.list_of(owner)
        same = [identity for identity in own if (identity.provider, identity.subject) == (proven.provider, proven.subject)]
        if not same:
            raise StaleVersion("the identity was unlinked meanwhile: begin again")
        return same[0]

    async def _link(self, actor: Actor, owner: UserId, proven: ProvenIdentity) -> Identity:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(owner)
            require_enabled(account)
            require_proven(account)
            identity = await self.links.link(unit, account, proven)
            self.links.tell(unit, account, identity)
        return identity

    async def _take_over(self, actor: Actor, local: UserAccount, proven: ProvenIdentity, caller: Caller) -> SignInOutcome:
        # As it was read: whoever made it may prove the address at this moment, and then it is not taken.
        async with self.uow(actor.acting_for(local.id)) as unit:
            account = await take_back(unit, local, proven, at=self.clock.now())
            await self.links.link(unit, account, proven)
        return await self.opener.open(actor, account, method=AuthMethod.PROVIDER, caller=caller)

    async def _create(self, actor: Actor, proven: ProvenIdentity, command: CompleteProviderSignInCommand) -> SignInOutcome:
        await self.attempts.reserve(self.limits.registration(network=command.caller.network))
        now = self.clock.now()
        account = UserAccount.register(
            id=UserId(self.ids.new_id()),
            email=proven.email,
            password=None,
            profile=Profile(display_name=proven.name or "", locale=command.locale),
            at=now,
        )
        is_proven = proven.email_trust is EmailTrust.VERIFIED
        async with self.uow(actor.acting_for(account.id)) as unit:
            account = await unit.accounts.save(account.verified(at=now) if is_proven else account)
            await self.links.link(unit, account, proven)
            if proven.email is not None and not is_proven:
                # Answered by mail or not at all: whether somebody has proven the address before is not for this caller to learn.
                self.requests.announce(unit, VerificationRequested, AskedAddress(email=proven.email.text))
        return await self.opener.open(actor, account, method=AuthMethod.PROVIDER, caller=command.caller)

    async def _step_up(self, actor: Actor, flow: OAuthFlow, proven: ProvenIdentity, owner: UserId | None) -> SteppedUpSession:
        now = self.clock.now()
        is_fresh = proven.authenticated_at is not None and now - proven.authenticated_at <= FRESH_PROOF
        if owner is None or owner != flow.user_id or flow.session_id is None or not is_fresh:
            raise IdentityRefused(f"{proven.provider.value} did not prove that you are here now: begin again", reason="step-up")
        async with self.uow(actor) as unit:
            return await self.renewal.renew(unit, flow.session_id, method=AuthMethod.PROVIDER, assurance=Assurance.AAL1)


def _state_of(local: UserAccount | None) -> LocalState:
    if local is None:
        return LocalState.NONE
    return LocalState.VERIFIED if local.is_verified else LocalState.UNVERIFIED
