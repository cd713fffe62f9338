from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.model.identity import Identity
from tradingcore.auth.ports.identities import IdentityUnitOfWork
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIdentitiesCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIdentities(UseCase[ListIdentitiesCommand, Sequence[Identity]]):
    """The own ones, the oldest first."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[IdentityUnitOfWork]

    async def handle(self, actor: Actor, command: ListIdentitiesCommand) -> Sequence[Identity]:
        if actor.user_id is None:
            return []
        async with self.uow(actor) as unit:
            return await unit.identities.list_of(actor.user_id)
