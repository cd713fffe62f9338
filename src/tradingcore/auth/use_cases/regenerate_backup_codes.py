from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.errors import FactorNotFound
from tradingcore.auth.use_cases.factor_changes import SURE, FactorChanges, owner_of
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, StepUp
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateBackupCodesCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateBackupCodes(UseCase[RegenerateBackupCodesCommand, Sequence[str]]):
    """Return a new set of codes, shown once; the old set is dead.

    Raises `FactorNotFound` for an account without a factor that they could stand in for, and `StepUpRequired`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges

    async def handle(self, actor: Actor, command: RegenerateBackupCodesCommand) -> Sequence[str]:
        user_id, factors = owner_of(actor), self.changes.factors
        async with self.uow(actor) as unit:
            if not await factors.kinds(unit, user_id):
                raise FactorNotFound("backup codes stand in for a second factor: set one up first")
            codes = await factors.new_backup_codes(unit, user_id)
            self.changes.tell(unit, await unit.accounts.get(user_id), "factor_added", factor="backup_codes")
        return codes
