from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from tradingcore.auth.errors import ProviderNotFound
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.identity import Identity, Provider
from tradingcore.auth.ports.identities import DeletionRequests, IdentityLookup
from tradingcore.auth.use_cases.identity_linking import LinkingUnitOfWork, unlink
from tradingcore.auth.use_cases.new_passwords import end_trust
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteProviderDataCommand:
    provider: Provider
    signed_request: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteProviderData(UseCase[DeleteProviderDataCommand, str]):
    """Delete what a provider has told of a person who asks it there to have that done; return the code that confirms it.

    The same code comes whether anything was known or not. Raises `ProviderNotFound`, and `IdentityRefused` for a request that the
    provider did not just sign.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    requests: Mapping[Provider, DeletionRequests]
    identities: IdentityLookup
    clock: Clock

    async def handle(self, actor: Actor, command: DeleteProviderDataCommand) -> str:
        requests = requests_of(self.requests, command.provider)
        now = self.clock.now()
        subject = requests.subject_of(command.signed_request, at=now)
        owner = await self.identities.owner_of(command.provider, subject)
        if owner is not None:
            await self._delete(actor, owner, command.provider, subject, at=now)
        return requests.confirmation_of(subject, at=now)

    async def _delete(self, actor: Actor, owner: UserId, provider: Provider, subject: str, *, at: datetime) -> None:
        async with self.uow(actor.acting_for(owner)) as unit:
            account = await unit.accounts.get(owner)
            for identity in await unit.identities.list_of(owner):
                if (identity.provider, identity.subject) == (provider, subject):
                    await unlink(unit, identity, at=at)
                    account = _without(account, identity)
            # Nobody could ever sign in again: a proven address still gets a new password by mail, this has none.
            ways = await unit.identities.list_of(owner) or await unit.passkeys.list_of(owner)
            is_orphan = account.password is None and not account.is_verified and not ways
            account = await unit.accounts.save(account.closed(at=at) if is_orphan else account.with_new_rights())
            await end_trust(unit, account, at=at)


def _without(account: UserAccount, identity: Identity) -> UserAccount:
    # A name that is the provider's goes with it, and so does an address that nobody has proven here.
    if account.profile.display_name == identity.name:
        account = replace(account, profile=replace(account.profile, display_name=""))
    if account.email == identity.email and not account.is_verified:
        account = replace(account, email=None)
    return account


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowProviderDataDeletionCommand:
    provider: Provider
    confirmation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowProviderDataDeletion(UseCase[ShowProviderDataDeletionCommand, datetime]):
    """Return when the data behind a confirmation was deleted. Raises `ProviderNotFound`, also for a code that is not ours."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    requests: Mapping[Provider, DeletionRequests]

    async def handle(self, actor: Actor, command: ShowProviderDataDeletionCommand) -> datetime:
        at = requests_of(self.requests, command.provider).confirmed_at(command.confirmation)
        if at is None:
            raise ProviderNotFound("there is no such confirmation")
        return at


def requests_of(requests: Mapping[Provider, DeletionRequests], provider: Provider) -> DeletionRequests:
    """Raises `ProviderNotFound`."""
    found = requests.get(provider)
    if found is None:
        raise ProviderNotFound(f"the identity provider {provider.value} sends no requests here")
    return found
