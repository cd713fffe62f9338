from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAccountCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAccount(UseCase[GetAccountCommand, UserAccount]):
    """The own account."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AccountUnitOfWork]

    async def handle(self, actor: Actor, command: GetAccountCommand) -> UserAccount:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which an operator has not")
        async with self.uow(actor) as unit:
            return await unit.accounts.get(actor.user_id)
