from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.auth.model.backup_code import FEW_LEFT
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.use_cases.factor_changes import owner_of
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class GetFactorsCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFactors:
    """``totp_since`` is ``None`` without a confirmed authenticator; ``is_required`` says that a role asks for a factor."""

    totp_since: datetime | None
    passkeys: Sequence[Passkey]
    backup_codes_left: int
    is_required: bool

    @property
    def are_codes_low(self) -> bool:
        """Whether a new set is due; never so without a factor that codes could stand in for."""
        has_factor = self.totp_since is not None or bool(self.passkeys)
        return has_factor and self.backup_codes_left <= FEW_LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class GetFactors(UseCase[GetFactorsCommand, AccountFactors]):
    """Return what second factors the caller's account has."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[FactorUnitOfWork]
    policy: FactorPolicy

    async def handle(self, actor: Actor, command: GetFactorsCommand) -> AccountFactors:
        user_id = owner_of(actor)
        async with self.uow(actor) as unit:
            totp = await unit.totp_factors.find(user_id)
            return AccountFactors(
                totp_since=None if totp is None else totp.confirmed_at,
                passkeys=await unit.passkeys.list_of(user_id),
                backup_codes_left=await unit.backup_codes.count_left(user_id),
                is_required=self.policy.requires(actor.roles),
            )
