from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

KEPT_AFTER_EXPIRY: Final = timedelta(days=7)
"""Long enough to answer a question about a link that did not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetMailedTokensCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetMailedTokens(UseCase[ForgetMailedTokensCommand, int]):
    """Delete mailed secrets that expired a while ago, used or not, and return how many those were."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ForgetMailedTokensCommand) -> int:
        async with self.uow(actor) as unit:
            return await unit.one_time_tokens.forget_expired(before=self.clock.now() - KEPT_AFTER_EXPIRY)
