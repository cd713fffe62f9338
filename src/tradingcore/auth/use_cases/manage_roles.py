"""Roles. One of staff is granted by two people: one proposes it, another one approves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.events import ProposalMade
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.policies.staffing import needs_second_person, refuse_unmanageable
from tradingcore.auth.use_cases.changing_rights import GRANT_ROLE, Rights, RoleUnitOfWork
from tradingcore.auth.use_cases.manage_users import RECENT_AND_SURE
from tradingcore.kernel.authz import Actor, Permission, Role, StepUp, UserId
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.proposal import Proposal
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRoleCommand:
    """``reason`` is read by the second person, and needed only where there is one."""

    user_id: UserId
    role: Role
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole(UseCase[GrantRoleCommand, UserAccount | Proposal]):
    """Give a role, or, for a role of staff, propose it to another superadmin and return the proposal.

    Raises `AccountNotFound`, `AccountDisabled` for a closed one, `PermissionDenied`, and `InvalidInput` for a proposal
    without a reason.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: GrantRoleCommand) -> UserAccount | Proposal:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            if command.role in account.roles:
                return account
            if not needs_second_person(actor, command.role):
                return await self.rights.change(unit, actor, account, roles=account.roles | {command.role}, plan=account.plan)
            now = self.clock.now()
            proposal = Proposal.make(
                id=self.ids.new_id(),
                act=GRANT_ROLE,
                subject_id=account.id,
                facts={"role": command.role.value},
                reason=command.reason,
                by=actor.user_id,
                at=now,
            )
            unit.announce(ProposalMade(occurred_at=now, user_id=account.id, proposal_id=proposal.id, act=GRANT_ROLE))
            return await unit.proposals.save(proposal)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRoleCommand:
    user_id: UserId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRole(UseCase[RevokeRoleCommand, UserAccount]):
    """Take a role away; one person may, because it only makes things safer.

    Raises `AccountNotFound`, `AccountDisabled` for a closed one, `PermissionDenied`, and `InvalidInput` for the last role.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights

    async def handle(self, actor: Actor, command: RevokeRoleCommand) -> UserAccount:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            return await self.rights.change(unit, actor, account, roles=account.roles - {command.role}, plan=account.plan)
