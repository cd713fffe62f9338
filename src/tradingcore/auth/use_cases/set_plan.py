from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.policies.staffing import refuse_unmanageable
from tradingcore.auth.use_cases.changing_rights import Rights, RoleUnitOfWork
from tradingcore.auth.use_cases.manage_users import RECENT_AND_SURE
from tradingcore.kernel.authz import Actor, Permission, Plan, StepUp, UserId
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlanCommand:
    user_id: UserId
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlan(UseCase[SetPlanCommand, UserAccount]):
    """Put an account on a plan; what the old one gave and the new one does not, ends with the next request.

    Raises `AccountNotFound` and `PermissionDenied`.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights

    async def handle(self, actor: Actor, command: SetPlanCommand) -> UserAccount:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            return await self.rights.change(unit, actor, account, roles=account.roles, plan=command.plan)
