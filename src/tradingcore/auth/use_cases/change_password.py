from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.errors import PasswordWrong
from tradingcore.auth.ids import SessionId
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.new_passwords import NewPasswords, end_trust
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.errors import FieldError, PermissionDenied, StaleVersion
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordCommand:
    """``old`` is ``None`` for an account that has no password yet."""

    old: str | None = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword(UseCase[ChangePasswordCommand, None]):
    """Replace the own password, or choose a first one. The session that asks goes on, the others end.

    Raises `PasswordRefused`, `PasswordWrong`, `TooManyAttempts`, `Overloaded` and `StaleVersion`.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    passwords: NewPasswords
    attempts: AttemptLimiter
    limits: AttemptPolicy
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: ChangePasswordCommand) -> None:
        user_id, session_id = person_of(actor)
        async with self.uow(actor) as unit:
            known = await unit.accounts.get(user_id)
        if known.password is not None:
            reservation = await self.attempts.reserve(self.limits.password_check(user_id=user_id, session=str(session_id)))
            check = await self.passwords.hasher.verify(command.old or "", known.password)
            if not check.is_right:
                sentence = "this is not the present password"
                raise PasswordWrong(sentence, errors=(FieldError("/old_password", "wrong", sentence),))
            await self.attempts.refund(reservation)
        password = await self.passwords.hash(command.new, of=known)
        now = self.clock.now()
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(user_id)
            if account.password_changed_at != known.password_changed_at:
                raise StaleVersion("the password was changed meanwhile: sign in with the new one")
            changed = await unit.accounts.save(account.with_password(password, at=now))
            await end_trust(unit, changed, at=now, but=session_id)
            self.mailer.request(
                unit, "password_changed", to=changed.email, locale=changed.profile.locale, values={"at": now.isoformat()}
            )


def person_of(actor: Actor) -> tuple[UserId, SessionId]:
    """Who has signed in, and in which session. Raises `PermissionDenied` for operators, who have no account."""
    if actor.user_id is None or actor.session_id is None:
        raise PermissionDenied("this is about the own account, which only a person who has signed in has")
    return actor.user_id, SessionId(actor.session_id)
