from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.policies.profiles import check_profile
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import PermissionDenied, StaleVersion
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProfileCommand:
    """``None`` leaves a value as it is. ``version`` is that of the account that the caller has read."""

    version: int
    display_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProfile(UseCase[UpdateProfileCommand, UserAccount]):
    """Change what the owner says of oneself. Raises `InvalidInput` and `StaleVersion`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AccountUnitOfWork]

    async def handle(self, actor: Actor, command: UpdateProfileCommand) -> UserAccount:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which an operator has not")
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(actor.user_id)
            if account.version != command.version:
                raise StaleVersion("the account was changed meanwhile: read it again")
            given = {
                name: value for name in ("display_name", "locale", "time_zone") if (value := getattr(command, name)) is not None
            }
            profile = check_profile(replace(account.profile, **given))
            if profile == account.profile:
                return account
            return await unit.accounts.save(account.with_profile(profile))
