"""What staff does with accounts of others. Everything is audited, and the owner hears of it by mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from tradingcore.auth.events import FactorsReset, PersonalDataRead
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.session import EndReason, Session
from tradingcore.auth.policies.staffing import refuse_unmanageable
from tradingcore.auth.queries import UserDirectory, UserFilter
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork, SecondFactors, forget_trust, remove_factors
from tradingcore.kernel.authz import Actor, Assurance, Permission, StepUp, UserId
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

RECENT_AND_SURE = StepUp(assurance=Assurance.AAL2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchUsersCommand:
    where: UserFilter = UserFilter()
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchUsers(UseCase[SearchUsersCommand, Page[UserAccount]]):
    """Return accounts, newest first. Entry points show addresses masked: `GetUser` shows them, and says so in the audit trail."""

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    directory: UserDirectory

    async def handle(self, actor: Actor, command: SearchUsersCommand) -> Page[UserAccount]:
        return await self.directory.search(actor, command.where, command.page)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDetails:
    account: UserAccount
    sessions: Sequence[Session]
    factors: frozenset[FactorKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUserCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUser(UseCase[GetUserCommand, UserDetails]):
    """Return one account with its live sessions and kinds of factors. Raises `AccountNotFound`."""

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    factors: SecondFactors
    clock: Clock

    async def handle(self, actor: Actor, command: GetUserCommand) -> UserDetails:
        now = self.clock.now()
        # A read that leaves a trace is no mere read.
        async with self.uow(replace(actor.acting_for(command.user_id), is_reading=False)) as unit:
            account = await unit.accounts.get(command.user_id)
            unit.announce(PersonalDataRead(occurred_at=now, user_id=account.id))
            return UserDetails(
                account=account,
                sessions=await unit.sessions.list_live(account.id, at=now),
                factors=await self.factors.kinds(unit, account.id),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendUserCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendUser(UseCase[SuspendUserCommand, UserAccount]):
    """Freeze an account: its sessions end, its keys rest, it cannot sign in. Doing it twice changes nothing.

    Raises `AccountNotFound`, `AccountDisabled` for a closed one, `PermissionDenied` for one that the caller may not manage.
    """

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: SuspendUserCommand) -> UserAccount:
        now = self.clock.now()
        async with self.uow(actor.acting_for(command.user_id)) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            frozen = account.frozen(by=name_of(actor), at=now)
            if frozen is account:
                return account
            saved = await unit.accounts.save(frozen)
            await unit.sessions.end_all(saved.id, EndReason.ACCOUNT_CHANGED, at=now)
            await forget_trust(unit, saved.id, at=now)
            await unit.one_time_tokens.void(saved.id, [TokenPurpose.CHANGE_ADDRESS])
            self.mailer.request(unit, "account_suspended", saved.email, saved.profile.locale, {"at": now.isoformat()})
            return saved


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateUserCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateUser(UseCase[ReinstateUserCommand, UserAccount]):
    """Open a frozen account again. Raises `AccountNotFound` and `PermissionDenied`."""

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ReinstateUserCommand) -> UserAccount:
        async with self.uow(actor.acting_for(command.user_id)) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            opened = account.unfrozen(by=name_of(actor), at=self.clock.now())
            return account if opened is account else await unit.accounts.save(opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUserSessionsCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUserSessions(UseCase[EndUserSessionsCommand, int]):
    """End every session of an account and return how many those were. Raises `AccountNotFound` and `PermissionDenied`."""

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: EndUserSessionsCommand) -> int:
        now = self.clock.now()
        async with self.uow(actor.acting_for(command.user_id)) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            ended = await unit.sessions.end_all(account.id, EndReason.REVOKED_BY_STAFF, at=now)
            await forget_trust(unit, account.id, at=now)
            await unit.one_time_tokens.void(account.id, [TokenPurpose.CHANGE_ADDRESS])
            return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetUserFactorsCommand:
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetUserFactors(UseCase[ResetUserFactorsCommand, None]):
    """Take every second factor away from an account whose owner has lost them; sessions end, the password stays.

    Raises `AccountNotFound` and `PermissionDenied`.
    """

    permission: ClassVar[Permission] = Permission.USERS_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: ResetUserFactorsCommand) -> None:
        now = self.clock.now()
        async with self.uow(actor.acting_for(command.user_id)) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            await remove_factors(unit, account.id, at=now)
            saved = await unit.accounts.save(account.with_new_rights())
            await unit.sessions.end_all(saved.id, EndReason.CREDENTIAL_CHANGED, at=now)
            unit.announce(FactorsReset(occurred_at=now, user_id=saved.id, by=name_of(actor)))
            values = {"factor": "all", "at": now.isoformat()}
            self.mailer.request(unit, "factor_removed", saved.email, saved.profile.locale, values)


def name_of(actor: Actor) -> str:
    """Who acts, for the audit trail: an id or the name of a process, never a person's name."""
    return actor.name if actor.acting_user_id is None else str(actor.acting_user_id)
