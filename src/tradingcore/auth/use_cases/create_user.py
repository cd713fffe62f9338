from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from tradingcore.auth.errors import AddressTaken
from tradingcore.auth.model.account import FIRST_ROLE, Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.auth.use_cases.new_passwords import NewPasswords
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, UserId
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUserCommand:
    """``email`` counts as proven: the operator vouches for it."""

    email: str
    password: str = field(repr=False)
    roles: frozenset[Role] = frozenset({FIRST_ROLE})
    plan: Plan = Plan.FREE
    profile: Profile = Profile()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser(UseCase[CreateUserCommand, UserAccount]):
    """Make an account that can sign in at once: the first administrator, say. Only operators may.

    Raises `InvalidInput` for an address or a password that the rules refuse, `AddressTaken`, `Overloaded`.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    lookup: AccountLookup
    passwords: NewPasswords
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: CreateUserCommand) -> UserAccount:
        email = EmailAddress.parse(command.email)
        known = await self.lookup.by_email(email)
        if known is not None and known.is_verified:
            raise AddressTaken(f"there is an account with the address {email} already: {known.id}")
        now = self.clock.now()
        account = UserAccount.register(
            id=UserId(self.ids.new_id()),
            email=email,
            password=None,
            profile=command.profile,
            at=now,
            roles=command.roles,
            plan=command.plan,
        ).verified(at=now)
        password = await self.passwords.hash(command.password, of=account)
        async with self.uow(actor) as unit:
            return await unit.accounts.save(replace(account, password=password, password_changed_at=now))
