from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.ports.identities import IdentityUnitOfWork
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetProviderFlowsCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetProviderFlows(UseCase[ForgetProviderFlowsCommand, int]):
    """Delete the sign-ins at providers that nobody finished, and return how many those were."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[IdentityUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ForgetProviderFlowsCommand) -> int:
        async with self.uow(actor) as unit:
            return await unit.oauth_flows.forget_expired(at=self.clock.now())
