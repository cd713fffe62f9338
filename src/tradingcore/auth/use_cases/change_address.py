from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.events import AddressChangeRequested
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.auth.use_cases.identity_linking import LinkingUnitOfWork, close_other_ways
from tradingcore.auth.use_cases.mailed_tokens import code_refused, owner_of_token
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.new_passwords import PROOFS, end_trust
from tradingcore.auth.use_cases.sealed_requests import SealedRequests
from tradingcore.kernel.authz import Actor, Permission, StepUp, UserId
from tradingcore.kernel.errors import Conflict, PermissionDenied, TooManyAttempts
from tradingcore.kernel.ports import AttemptLimiter, Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAddressChangeCommand:
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange:
    """What waits, sealed, for an answer by mail."""

    user_id: UserId
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAddressChange(UseCase[RequestAddressChangeCommand, None]):
    """Ask for another address, which has to prove itself by mail. The answer does not tell whether it belongs to somebody.

    Raises `InvalidInput` for what is no address.
    """

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    requests: SealedRequests

    async def handle(self, actor: Actor, command: RequestAddressChangeCommand) -> None:
        if actor.user_id is None:
            raise PermissionDenied("this is about the own account, which only a person has")
        email = EmailAddress.parse(command.email)
        async with self.uow(actor) as unit:
            self.requests.announce(unit, AddressChangeRequested, AskedChange(user_id=actor.user_id, email=email.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAddressChangeCommand:
    request: AddressChangeRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAddressChange(UseCase[MailAddressChangeCommand, None]):
    """Mail a proof to the new address; to one that another account has proven, a notice. At most three in six hours."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    attempts: AttemptLimiter
    limits: AttemptPolicy
    requests: SealedRequests
    mailer: Mailer

    async def handle(self, actor: Actor, command: MailAddressChangeCommand) -> None:
        asked = self.requests.open(command.request, AskedChange)
        email = EmailAddress(asked.email)
        holder = await self.lookup.by_email(email)
        with suppress(TooManyAttempts):
            await self.attempts.reserve(self.limits.verification_mail(account=email.comparable))
            async with self.uow(actor) as unit:
                account = await unit.accounts.get(asked.user_id)
                # A password that was chosen after that ends what was asked for with the old one.
                is_outdated = account.password_changed_at is not None and account.password_changed_at > command.request.occurred_at
                if is_outdated or not account.may_sign_in:
                    return
                if holder is not None and holder.is_verified and holder.id != account.id:
                    self.mailer.request(unit, "already_registered", to=holder.email, locale=holder.profile.locale)
                    return
                await self.mailer.request_with_token(
                    unit,
                    "address_change_confirm",
                    account=account,
                    purpose=TokenPurpose.CHANGE_ADDRESS,
                    to=email,
                    bound_to=email.text,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmAddressChangeCommand:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmAddressChange(UseCase[ConfirmAddressChangeCommand, None]):
    """Take the address that has proven itself. The old one, if it was proven, is told and can undo it for 72 hours.

    Raises `CodeRefused`, also when another account has proven the address first.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: ConfirmAddressChangeCommand) -> None:
        token_hash, owner = await owner_of_token(self.lookup, command.token, TokenPurpose.CHANGE_ADDRESS)
        now = self.clock.now()
        try:
            async with self.uow(actor.acting_for(owner)) as unit:
                token = await unit.one_time_tokens.consume(token_hash, TokenPurpose.CHANGE_ADDRESS, at=now)
                account = await unit.accounts.get(owner)
                if token is None or not account.may_sign_in:
                    raise code_refused()
                await unit.accounts.save(account.with_address(EmailAddress(token.bound_to), at=now))
                # What lies in the old mailbox must not open the account any more.
                await unit.one_time_tokens.void(owner, [*PROOFS, TokenPurpose.VERIFY_ADDRESS])
                if account.is_verified and account.email is not None:
                    await self._tell(unit, old=account, old_address=account.email, token=token)
        except Conflict:
            raise code_refused() from None

    async def _tell(self, unit: AccountUnitOfWork, *, old: UserAccount, old_address: EmailAddress, token: OneTimeToken) -> None:
        values = {"new_address": EmailAddress(token.bound_to).masked, "at": self.clock.now().isoformat()}
        await self.mailer.request_with_token(
            unit,
            "address_changed",
            account=old,
            purpose=TokenPurpose.UNDO_ADDRESS_CHANGE,
            to=old_address,
            bound_to=old_address.text,
            values=values,
            # Whoever changes it twice must not take the first owner's way back.
            keeps_older=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAddressChangeCommand:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAddressChange(UseCase[UndoAddressChangeCommand, None]):
    """Bring the old address back, because whoever changed it may not have been the owner.

    That person knows the password, and may have linked an identity or made a key: they end with every session, and the old address
    gets the mail to choose another password. Second factors stay, or the old mailbox alone would be enough. Raises `CodeRefused`.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[LinkingUnitOfWork]
    lookup: AccountLookup
    mailer: Mailer
    clock: Clock

    async def handle(self, actor: Actor, command: UndoAddressChangeCommand) -> None:
        purpose = TokenPurpose.UNDO_ADDRESS_CHANGE
        token_hash, owner = await owner_of_token(self.lookup, command.token, purpose)
        now = self.clock.now()
        try:
            async with self.uow(actor.acting_for(owner)) as unit:
                token = await unit.one_time_tokens.consume(token_hash, purpose, at=now)
                account = await unit.accounts.get(owner)
                if token is None or account.status is AccountStatus.CLOSED:
                    raise code_refused()
                address = EmailAddress(token.bound_to)
                restored = account.with_address(address, at=now, is_undone=True).without_password(at=now)
                restored = await unit.accounts.save(restored)
                await close_other_ways(unit, restored, at=now)
                await end_trust(unit, restored, at=now)
                await unit.one_time_tokens.void(owner, [TokenPurpose.CHANGE_ADDRESS, purpose])
                await self.mailer.request_with_token(
                    unit,
                    "reset_password",
                    account=restored,
                    purpose=TokenPurpose.RESET_PASSWORD,
                    to=address,
                    bound_to=address.text,
                )
        except Conflict:
            raise code_refused() from None
