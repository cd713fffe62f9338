"""Link a proven identity to the account that its address belongs to, once the owner has proven to be that as well."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.errors import ProviderFlowUnknown
from tradingcore.auth.model.identity import Identity
from tradingcore.auth.model.oauth_flow import FlowStage
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.accounts import AccountLookup
from tradingcore.auth.use_cases.identity_linking import IdentityLinks, LinkingUnitOfWork
from tradingcore.auth.use_cases.mailed_tokens import code_refused, owner_of_token
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.provider_flows import ProviderFlows
from tradingcore.auth.use_cases.session_opening import require_enabled
from tradingcore.kernel.authz import Actor, Permission, StepUp
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmProviderLinkCommand:
    """``browser`` is what the cookie holds: the link is finished where it was begun."""

    ticket: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmProviderLink(UseCase[ConfirmProviderLinkCommand, Identity]):
    """By signing in to the account, whichever way. Raises `ProviderFlowUnknown`, `IdentityTaken`, `StepUpRequired`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    flows: ProviderFlows
    links: IdentityLinks

    async def handle(self, actor: Actor, command: ConfirmProviderLinkCommand) -> Identity:
        async with self.uow(actor) as unit:
            pending = await self.flows.take(unit, command.ticket, command.browser, FlowStage.UNPROVEN)
            if pending.user_id is None or pending.user_id != actor.user_id:
                raise ProviderFlowUnknown("this link waits for another account: sign in to the one that has the address")
            account = await unit.accounts.get(pending.user_id)
            identity = await self.links.link(unit, account, self.flows.postponed(pending))
            self.links.tell(unit, account, identity)
        return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProviderLinkCommand:
    ticket: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProviderLink(UseCase[MailProviderLinkCommand, None]):
    """Mail a proof to the address of the account, for owners who do not know their password; three in six hours at most.

    Raises `ProviderFlowUnknown` and nothing else: what is not sent is not told.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    flows: ProviderFlows
    attempts: AttemptLimiter
    limits: AttemptPolicy
    mailer: Mailer

    async def handle(self, actor: Actor, command: MailProviderLinkCommand) -> None:
        async with self.uow(actor) as unit:
            pending = await self.flows.find(unit, command.ticket, command.browser, FlowStage.UNPROVEN)
        assert pending.user_id is not None, "a pending link waits for somebody"
        owner = actor.acting_for(pending.user_id)
        async with self.uow(owner) as unit:
            account = await unit.accounts.get(pending.user_id)
        if account.email is None or not account.is_verified or not account.may_sign_in:
            return
        try:
            await self.attempts.reserve(self.limits.verification_mail(account=account.email.comparable))
        except TooManyAttempts:
            return
        async with self.uow(owner) as unit:
            await self.mailer.request_with_token(
                unit,
                "prove_account",
                account=account,
                purpose=TokenPurpose.PROVE_ACCOUNT,
                to=account.email,
                bound_to=f"{account.email.text} {pending.key_hash.hex()}",
                values={"provider": pending.provider.value},
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveProviderLinkCommand:
    """``token`` came by mail, ``browser`` is what the cookie holds."""

    token: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveProviderLink(UseCase[ProveProviderLinkCommand, Identity]):
    """By the mailed proof, in the browser that began: who reads the mail may be talked into opening a link of somebody else's.

    Opens no session. Raises `CodeRefused`, `ProviderFlowUnknown`, which leaves the proof as it is, `IdentityTaken`,
    `AccountDisabled`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    lookup: AccountLookup
    flows: ProviderFlows
    links: IdentityLinks
    clock: Clock

    async def handle(self, actor: Actor, command: ProveProviderLinkCommand) -> Identity:
        token_hash, owner = await owner_of_token(self.lookup, command.token, TokenPurpose.PROVE_ACCOUNT)
        async with self.uow(actor.acting_for(owner)) as unit:
            token = await unit.one_time_tokens.consume(token_hash, TokenPurpose.PROVE_ACCOUNT, at=self.clock.now())
            account = await unit.accounts.get(owner)
            address, _, key = ("" if token is None else token.bound_to).rpartition(" ")
            # A proof that went to an address which is no longer the account's proves nothing.
            if account.email is None or address != account.email.text:
                raise code_refused()
            require_enabled(account)
            pending = await self.flows.take_hashed(unit, bytes.fromhex(key), command.browser, FlowStage.UNPROVEN)
            identity = await self.links.link(unit, account, self.flows.postponed(pending))
            self.links.tell(unit, account, identity)
        return identity
