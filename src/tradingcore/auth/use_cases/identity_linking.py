"""What every change of the ways into an account through a provider brings with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tradingcore.auth.errors import IdentityTaken
from tradingcore.auth.events import IdentityLinked, IdentityUnlinked
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.identity import Identity, ProvenIdentity
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.ports.identities import IdentityUnitOfWork
from tradingcore.auth.ports.keys import AuthUnitOfWork
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.new_passwords import end_trust
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, remove_factors
from tradingcore.auth.use_cases.session_opening import notify_owner
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import Clock, IdGenerator


class LinkingUnitOfWork(CredentialUnitOfWork, AuthUnitOfWork, IdentityUnitOfWork, Protocol):
    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLinks:
    """Call it in the owner's unit: everything commits together."""

    mailer: Mailer
    clock: Clock
    ids: IdGenerator

    async def link(self, unit: LinkingUnitOfWork, account: UserAccount, proven: ProvenIdentity) -> Identity:
        """Raises `IdentityTaken` when it is linked already, to whomever."""
        now = self.clock.now()
        identity = Identity.link(proven, id=IdentityId(self.ids.new_id()), user_id=account.id, at=now)
        try:
            identity = await unit.identities.save(identity)
        except StaleVersion:
            raise IdentityTaken(f"this {proven.provider.value} account is linked already") from None
        unit.announce(
            IdentityLinked(occurred_at=now, user_id=account.id, identity_id=identity.id, provider=identity.provider.value)
        )
        return identity

    def tell(self, unit: LinkingUnitOfWork, account: UserAccount, identity: Identity) -> None:
        """Mail the owner of an account that had other ways in before."""
        values = {"provider": identity.provider.value, "at": identity.linked_at.isoformat()}
        notify_owner(self.mailer, unit, account, "identity_linked", values)


async def unlink(unit: LinkingUnitOfWork, identity: Identity, *, at: datetime) -> None:
    await unit.identities.delete(identity)
    unit.announce(
        IdentityUnlinked(occurred_at=at, user_id=identity.user_id, identity_id=identity.id, provider=identity.provider.value)
    )


async def close_other_ways(unit: LinkingUnitOfWork, account: UserAccount, *, at: datetime) -> None:
    """Unlink its identities and revoke its API keys."""
    for identity in await unit.identities.list_of(account.id):
        await unlink(unit, identity, at=at)
    for key in await unit.api_keys.list_of(account.id):
        if key.revoked_at is None:
            await unit.api_keys.save(key.revoked(at=at))


async def take_back(unit: LinkingUnitOfWork, account: UserAccount, proven: ProvenIdentity, *, at: datetime) -> UserAccount:
    """Give an account that anybody may have made to whoever has proven its address; nothing that lets somebody in stays.

    Raises `StaleVersion` when its state has changed since ``account`` was read.
    """
    await remove_factors(unit, account.id, at=at)
    await close_other_ways(unit, account, at=at)
    await end_trust(unit, account, at=at)
    # A change of address that was begun before would hand the account back.
    await unit.one_time_tokens.void(account.id, tuple(TokenPurpose))
    assert proven.email is not None, "the address is what was proven"
    # The spelling that was proven: another one may be another mailbox.
    return await unit.accounts.save(account.taken_back(email=proven.email, name=proven.name or "", at=at))
