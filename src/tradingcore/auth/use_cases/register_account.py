from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.events import RegistrationRequested
from tradingcore.auth.model.account import Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.password import PasswordHash, context_words
from tradingcore.auth.model.session import EndReason
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.policies.profiles import check_profile
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.new_passwords import NewPasswords
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.kernel.ports import AttemptLimiter, Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccountCommand:
    email: str
    password: str = field(repr=False)
    profile: Profile
    network: NetworkPrefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What waits, sealed, to become an account."""

    email: str
    password: PasswordHash
    display_name: str
    locale: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccount(UseCase[RegisterAccountCommand, None]):
    """Take a registration. Whether it makes an account or only a mail to the one that exists, `OpenAccount` finds out later.

    Raises `InvalidInput` and `PasswordRefused` for what anybody can see is wrong, `Overloaded`, and nothing else: one that comes
    too often from its network is dropped.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    passwords: NewPasswords
    attempts: AttemptLimiter
    limits: AttemptPolicy
    requests: SealedRequests

    async def handle(self, actor: Actor, command: RegisterAccountCommand) -> None:
        email = EmailAddress.parse(command.email)
        profile = check_profile(command.profile)
        await self.passwords.check(command.password, words=context_words(email=email, display_name=profile.display_name))
        try:
            await self.attempts.reserve(self.limits.registration(network=command.network))
        except TooManyAttempts:
            return
        asked = Registration(
            email=email.text,
            password=await self.passwords.hasher.hash(command.password),
            display_name=profile.display_name,
            locale=profile.locale,
            time_zone=profile.time_zone,
        )
        async with self.uow(actor) as unit:
            self.requests.announce(unit, RegistrationRequested, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccountCommand:
    request: RegistrationRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount(UseCase[OpenAccountCommand, UserId | None]):
    """Make the account that was asked for and mail a proof of its address; an address that is proven already gets a notice.

    Many may claim an address: whoever reads its mail proves it, and the others lose. Whose proof that reader opens, nobody can
    tell: so of an address that is claimed twice no account keeps a password that a stranger may have chosen, and whoever proves
    one of them chooses a new one. Returns the new account's id, if there is one.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    attempts: AttemptLimiter
    limits: AttemptPolicy
    requests: SealedRequests
    mailer: Mailer
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: OpenAccountCommand) -> UserId | None:
        asked = self.requests.open(command.request, Registration)
        email = EmailAddress(asked.email)
        holder = await self.lookup.by_email(email)
        may_mail = False
        with suppress(TooManyAttempts):
            await self.attempts.reserve(self.limits.verification_mail(account=email.comparable))
            may_mail = True
        # One unit of work, whatever happens: it also records that the request was answered.
        async with self.uow(actor) as unit:
            if holder is not None and holder.is_verified:
                if may_mail:
                    self.mailer.request(unit, "already_registered", to=holder.email, locale=holder.profile.locale)
                return None
            now = self.clock.now()
            if holder is not None and holder.password is not None:
                claimed = await unit.accounts.save(holder.without_password(at=now))
                await unit.sessions.end_all(claimed.id, EndReason.CREDENTIAL_CHANGED, at=now)
            account = UserAccount.register(
                id=UserId(self.ids.new_id()),
                email=email,
                password=asked.password,
                profile=Profile(display_name=asked.display_name, locale=asked.locale, time_zone=asked.time_zone),
                at=now,
            )
            account = await unit.accounts.save(account if holder is None else account.without_password(at=now))
            if may_mail:
                await self.mailer.request_with_token(
                    unit,
                    "verify_address",
                    account=account,
                    purpose=TokenPurpose.VERIFY_ADDRESS,
                    to=email,
                    bound_to=email.text,
                )
            return account.id
