from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.events import VerificationRequested
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.auth.use_cases.mailed_tokens import code_refused, owner_of_token
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import Conflict, TooManyAttempts
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAddressVerificationCommand:
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAddress:
    """What waits, sealed, for an answer by mail."""

    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAddressVerification(UseCase[RequestAddressVerificationCommand, None]):
    """Ask for the mail once more. Raises `InvalidInput` for what is no address."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    requests: SealedRequests

    async def handle(self, actor: Actor, command: RequestAddressVerificationCommand) -> None:
        email = EmailAddress.parse(command.email)
        async with self.uow(actor) as unit:
            self.requests.announce(unit, VerificationRequested, AskedAddress(email=email.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAddressVerificationCommand:
    request: VerificationRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAddressVerification(UseCase[MailAddressVerificationCommand, None]):
    """Mail a fresh proof to the newest account that claims the address, if it waits for one; at most three in six hours."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    attempts: AttemptLimiter
    limits: AttemptPolicy
    requests: SealedRequests
    mailer: Mailer

    async def handle(self, actor: Actor, command: MailAddressVerificationCommand) -> None:
        email = EmailAddress(self.requests.open(command.request, AskedAddress).email)
        account = await self.lookup.by_email(email)
        if account is None or account.is_verified or account.email is None or not account.may_sign_in:
            return
        with suppress(TooManyAttempts):
            await self.attempts.reserve(self.limits.verification_mail(account=email.comparable))
            async with self.uow(actor) as unit:
                await self.mailer.request_with_token(
                    unit,
                    "verify_address",
                    account=account,
                    purpose=TokenPurpose.VERIFY_ADDRESS,
                    to=account.email,
                    bound_to=account.email.text,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAddressCommand:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAddress(UseCase[VerifyAddressCommand, None]):
    """Use up a mailed proof. Raises `CodeRefused`, also when another account has proven the address first.

    An account without a password, because its address was claimed twice, is mailed the means to choose one.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: VerifyAddressCommand) -> None:
        token_hash, owner = await owner_of_token(self.lookup, command.token, TokenPurpose.VERIFY_ADDRESS)
        now = self.clock.now()
        try:
            async with self.uow(actor.acting_for(owner)) as unit:
                token = await unit.one_time_tokens.consume(token_hash, TokenPurpose.VERIFY_ADDRESS, at=now)
                account = await unit.accounts.get(owner)
                if token is None or account.email is None or token.bound_to != account.email.text:
                    raise code_refused()
                proven = await unit.accounts.save(account.verified(at=now))
                if proven.password is None and proven.password_changed_at is not None:
                    await self.mailer.request_with_token(
                        unit,
                        "reset_password",
                        account=proven,
                        purpose=TokenPurpose.RESET_PASSWORD,
                        to=account.email,
                        bound_to=account.email.text,
                    )
        except Conflict:
            raise code_refused() from None
