"""Setting up and taking away an authenticator app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from tradingcore.auth.errors import FactorExists, FactorNotFound, FactorRefused
from tradingcore.auth.events import FactorDenied
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.totp import SECRET_BYTES, TotpFactor, matching_step, provisioning_uri, secret_text
from tradingcore.auth.ports.qr_codes import QrCodes
from tradingcore.auth.use_cases.factor_changes import SURE, FactorChanges, owner_of
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.ports import SecretSource, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolTotpCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpEnrolment:
    """Shown once: ``secret`` to type in, or ``uri`` to read from ``qr_svg``."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr_svg: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolTotp(UseCase[EnrolTotpCommand, TotpEnrolment]):
    """Make a secret for an authenticator; it counts once `ConfirmTotp` has seen its first right code.

    Enrolling again before that replaces the secret. Raises `FactorExists` and `StepUpRequired`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges
    qr_codes: QrCodes
    secrets: SecretSource
    issuer: str

    async def handle(self, actor: Actor, command: EnrolTotpCommand) -> TotpEnrolment:
        user_id, secret = owner_of(actor), self.secrets.token(SECRET_BYTES)
        async with self.uow(actor) as unit:
            await self.changes.demand(actor, unit)
            account = await unit.accounts.get(user_id)
            if not await unit.totp_factors.enrol(TotpFactor(user_id=user_id, created_at=self.changes.now()), secret):
                raise FactorExists("this account has an authenticator already: remove it before you set up another one")
        name = str(user_id) if account.email is None else account.email.text
        uri = provisioning_uri(secret, issuer=self.issuer, account=name)
        return TotpEnrolment(secret=secret_text(secret), uri=uri, qr_svg=self.qr_codes.svg(uri))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmTotpCommand:
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedTotp:
    """``backup_codes`` are shown once and stored nowhere."""

    backup_codes: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmTotp(UseCase[ConfirmTotpCommand, ConfirmedTotp]):
    """Let the authenticator count, because it has shown a right code, and hand out backup codes.

    Other sessions end. Raises `FactorNotFound` when nothing waits to be confirmed, `FactorRefused` and `TooManyAttempts`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges

    async def handle(self, actor: Actor, command: ConfirmTotpCommand) -> ConfirmedTotp:
        user_id, now, factors = owner_of(actor), self.changes.now(), self.changes.factors
        reservation = await factors.reserve(user_id)
        try:
            async with self.uow(actor) as unit:
                await self.changes.demand(actor, unit)
                await self._confirm(unit, user_id, command.code, at=now)
                codes = await factors.new_backup_codes(unit, user_id)
                await self.changes.added(actor, unit, FactorKind.TOTP)
        except FactorRefused:
            async with self.uow(actor) as unit:
                unit.announce(FactorDenied(occurred_at=now, user_id=user_id, kind=FactorKind.TOTP, purpose=None))
            raise
        await factors.attempts.refund(reservation)
        return ConfirmedTotp(backup_codes=codes)

    async def _confirm(self, unit: CredentialUnitOfWork, user_id: UserId, code: str, *, at: datetime) -> None:
        factor, secret = await unit.totp_factors.find(user_id), await unit.totp_factors.secret_of(user_id)
        if factor is None or secret is None or factor.is_confirmed:
            raise FactorNotFound("no authenticator waits to be confirmed: set one up first")
        step = matching_step(secret, code, at=at, previous_steps=self.changes.factors.policy.totp_previous_steps)
        if step is None:
            raise FactorRefused("the code is not right: check that the clock of the device is")
        if not await unit.totp_factors.confirm(user_id, step=step, at=at):
            raise FactorNotFound("the authenticator was confirmed or taken away meanwhile")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTotpCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTotp(UseCase[RemoveTotpCommand, None]):
    """Take the authenticator away, and backup codes with the last factor. Other sessions end.

    Raises `FactorNotFound` and `StepUpRequired`: a second factor must have been shown recently.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = SURE
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    changes: FactorChanges

    async def handle(self, actor: Actor, command: RemoveTotpCommand) -> None:
        async with self.uow(actor) as unit:
            if not await unit.totp_factors.remove(owner_of(actor)):
                raise FactorNotFound("this account has no authenticator")
            await self.changes.removed(actor, unit, FactorKind.TOTP)
