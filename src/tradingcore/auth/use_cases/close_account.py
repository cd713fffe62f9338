from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from tradingcore.auth.events import AccountErased
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.session import EndReason
from tradingcore.auth.ports.erasure import PersonalRecords
from tradingcore.auth.ports.identities import IdentityRepository
from tradingcore.auth.ports.keys import ApiKeyRepository
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, remove_factors
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


class ClosingUnitOfWork(CredentialUnitOfWork, Protocol):
    """Everything that opens an account."""

    __slots__ = ()

    @property
    def api_keys(self) -> ApiKeyRepository: ...

    @property
    def identities(self) -> IdentityRepository: ...


class ErasingUnitOfWork(ClosingUnitOfWork, Protocol):
    __slots__ = ()

    @property
    def personal_records(self) -> PersonalRecords: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccountCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccount(UseCase[CloseAccountCommand, None]):
    """Close the own account for good: sessions, keys, factors, identities and mailed secrets end, and the address is free."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[ClosingUnitOfWork]
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: CloseAccountCommand) -> None:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which an operator has not")
        now = self.clock.now()
        async with self.uow(actor) as unit:
            await _close(unit, await unit.accounts.get(actor.user_id), self.mailer, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseAccountCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseAccount(UseCase[EraseAccountCommand, bool]):
    """Close an account and erase what is kept of its person; return ``False`` when nothing was left to erase.

    The audit trail stays: it knows an id that means nobody any more. A call that failed half-way is repeated. Raises
    `AccountNotFound`.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[ErasingUnitOfWork]
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: EraseAccountCommand) -> bool:
        now = self.clock.now()
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            await _close(unit, account, self.mailer, at=now)
        async with self.uow(actor) as unit:
            is_first = await unit.personal_records.erase(account.id)
            if is_first:
                unit.announce(AccountErased(occurred_at=now, user_id=account.id, by=actor.name))
        return is_first


async def _close(unit: ClosingUnitOfWork, account: UserAccount, mailer: Mailer, *, at: datetime) -> None:
    await unit.accounts.save(account.closed(at=at))
    await unit.sessions.end_all(account.id, EndReason.ACCOUNT_CHANGED, at=at)
    for key in await unit.api_keys.list_of(account.id):
        if key.revoked_at is None:
            await unit.api_keys.save(key.revoked(at=at))
    await remove_factors(unit, account.id, at=at)
    await unit.identities.delete_all(account.id)
    await unit.one_time_tokens.void(account.id, list(TokenPurpose))
    mailer.request(unit, "account_closed", to=account.email, locale=account.profile.locale, values={"at": at.isoformat()})
