from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.events import PasswordResetRequested
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.auth.use_cases.mailed_tokens import code_refused, owner_of_token
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.new_passwords import NewPasswords, end_trust
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.auth.use_cases.second_factor import CredentialUnitOfWork
from tradingcore.auth.use_cases.verify_address import AskedAddress
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import Conflict, TooManyAttempts
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPasswordResetCommand:
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPasswordReset(UseCase[RequestPasswordResetCommand, None]):
    """Ask for the mail that lets its reader choose another password; at most one a minute and five a day are sent.

    Raises `InvalidInput` for what is no address.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    attempts: AttemptLimiter
    limits: AttemptPolicy
    requests: SealedRequests

    async def handle(self, actor: Actor, command: RequestPasswordResetCommand) -> None:
        email = EmailAddress.parse(command.email)
        try:
            await self.attempts.reserve(self.limits.reset_mail(account=email.comparable))
        except TooManyAttempts:
            return
        async with self.uow(actor) as unit:
            self.requests.announce(unit, PasswordResetRequested, AskedAddress(email=email.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPasswordResetCommand:
    request: PasswordResetRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPasswordReset(UseCase[MailPasswordResetCommand, None]):
    """Mail the secret to whoever has proven the address. An address that nobody has proven opens no account."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    requests: SealedRequests
    mailer: Mailer

    async def handle(self, actor: Actor, command: MailPasswordResetCommand) -> None:
        account = await self.lookup.by_email(EmailAddress(self.requests.open(command.request, AskedAddress).email))
        if account is None or not account.is_verified or account.email is None or not account.may_sign_in:
            return
        async with self.uow(actor) as unit:
            await self.mailer.request_with_token(
                unit,
                "reset_password",
                account=account,
                purpose=TokenPurpose.RESET_PASSWORD,
                to=account.email,
                bound_to=account.email.text,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPasswordCommand:
    token: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPassword(UseCase[ResetPasswordCommand, None]):
    """Choose a password by a mailed secret. Ends every session and trusted device; second factors stay in force.

    Raises `PasswordRefused`, which leaves the secret as it is, `CodeRefused` and `Overloaded`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[CredentialUnitOfWork]
    lookup: AccountLookup
    passwords: NewPasswords
    attempts: AttemptLimiter
    limits: AttemptPolicy
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: ResetPasswordCommand) -> None:
        await self.passwords.check(command.password)
        token_hash, owner = await owner_of_token(self.lookup, command.token, TokenPurpose.RESET_PASSWORD)
        acting = actor.acting_for(owner)
        async with self.uow(acting) as unit:
            known = await unit.accounts.get(owner)
        password = await self.passwords.hash(command.password, of=known)
        now = self.clock.now()
        try:
            async with self.uow(acting) as unit:
                token = await unit.one_time_tokens.consume(token_hash, TokenPurpose.RESET_PASSWORD, at=now)
                account = await unit.accounts.get(owner)
                # A secret that went to an address which is no longer the account's proves nothing.
                if token is None or account.email is None or token.bound_to != account.email.text or not account.may_sign_in:
                    raise code_refused()
                changed = await unit.accounts.save(account.with_password(password, at=now, is_reset=True))
                await end_trust(unit, changed, at=now)
                self.mailer.request(
                    unit,
                    "password_changed",
                    to=changed.email,
                    locale=changed.profile.locale,
                    values={"at": now.isoformat()},
                )
        except Conflict:
            raise code_refused() from None
        await self.attempts.clear(self.limits.consecutive(account=account.email.comparable))
