from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.auth.errors import IdentityNotFound, LastSignInMethod
from tradingcore.auth.ids import IdentityId, SessionId
from tradingcore.auth.policies.linking import may_unlink
from tradingcore.auth.use_cases.identity_linking import LinkingUnitOfWork, unlink
from tradingcore.auth.use_cases.new_passwords import end_trust
from tradingcore.kernel.authz import Actor, Permission, StepUp
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkIdentityCommand:
    identity_id: IdentityId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkIdentity(UseCase[UnlinkIdentityCommand, None]):
    """Take a provider away as a way to sign in, and end what was opened through it: every session but the present one.

    Raises `IdentityNotFound`, `LastSignInMethod`, `StepUpRequired`, and `StaleVersion` when another way goes at the same time.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: UnlinkIdentityCommand) -> None:
        if actor.user_id is None:
            raise IdentityNotFound(f"there is no identity {command.identity_id}")
        now = self.clock.now()
        async with self.uow(actor) as unit:
            identity = await unit.identities.get(command.identity_id)
            account = await unit.accounts.get(actor.user_id)
            others = len(await unit.identities.list_of(actor.user_id)) - 1
            has_passkey = bool(await unit.passkeys.list_of(actor.user_id))
            if not may_unlink(other_identities=others, has_password=account.password is not None, has_passkey=has_passkey):
                raise LastSignInMethod(
                    "without it nobody could sign in to the account: add a password, a passkey or another provider first"
                )
            await unlink(unit, identity, at=now)
            # A new version of the account: two calls that each leave the other's identity cannot both be right.
            account = await unit.accounts.save(account.with_new_rights())
            but = None if actor.session_id is None else SessionId(actor.session_id)
            await end_trust(unit, account, at=now, but=but)
