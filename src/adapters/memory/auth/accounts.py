from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.database import MailedToken, MemoryDatabase, MemoryUnit, Stored, proven_address
from adapters.memory.table import Kept
from tradingcore.auth.errors import AccountNotFound, AddressTaken
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.ports.accounts import AccountLookup, AccountRepository, OneTimeTokens
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.errors import PermissionDenied


def is_own(actor: Actor, user_id: UserId) -> bool:
    return actor.is_platform or actor.user_id == user_id


def may_reach(actor: Actor, user_id: UserId) -> bool:
    return is_own(actor, user_id) or Permission.USERS_MANAGE in actor.permissions


def refuse_foreign(actor: Actor, user_id: UserId) -> None:
    if not is_own(actor, user_id):
        raise PermissionDenied("the database refuses this to the caller")


class MemoryAccountRepository(Stored[UserId, UserAccount], AccountRepository):
    def __init__(self, unit: MemoryUnit) -> None:
        super().__init__(unit, unit.database.user_accounts)

    async def get(self, user_id: UserId) -> UserAccount:
        account = self._staged.find(user_id)
        if account is None or not may_reach(self._unit.actor, user_id):
            raise AccountNotFound(f"there is no account {user_id}")
        return account

    async def save(self, account: UserAccount) -> UserAccount:
        if not may_reach(self._unit.actor, account.id):
            raise AccountNotFound(f"there is no account {account.id}")
        holder = self._staged.find_unique(proven_address(account))
        if holder is not None and holder.id != account.id:
            raise AddressTaken(f"the address of account {account.id} was proven by another account")
        return await super().save(account)


class MemoryOneTimeTokens(OneTimeTokens):
    def __init__(self, unit: MemoryUnit) -> None:
        self._unit = unit
        self._staged = unit.stage(unit.database.one_time_tokens)

    async def add(self, token: OneTimeToken) -> None:
        refuse_foreign(self._unit.actor, token.user_id)
        self._staged.save(Kept(value=MailedToken(token)))

    async def consume(self, token_hash: bytes, purpose: TokenPurpose, *, at: datetime) -> OneTimeToken | None:
        row = self._staged.find(token_hash)
        if row is None or row.value.used_at is not None or not is_own(self._unit.actor, row.value.token.user_id):
            return None
        token = row.value.token
        if token.purpose is not purpose or token.expires_at <= at:
            return None
        self._staged.save(replace(row, value=MailedToken(token, used_at=at)))
        return token

    async def void(self, user_id: UserId, purposes: Sequence[TokenPurpose]) -> None:
        if not is_own(self._unit.actor, user_id):
            return
        now = self._unit.database.clock.now()
        for row in self._staged.in_group(user_id):
            if row.value.token.purpose in purposes and row.value.used_at is None:
                self._staged.save(replace(row, value=MailedToken(row.value.token, used_at=now)))

    async def forget_expired(self, *, before: datetime) -> int:
        if not self._unit.actor.is_platform:
            return 0
        return self._staged.delete([row.value.token.token_hash for row in self._staged if row.value.token.expires_at < before])


class MemoryAccountLookup(AccountLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def by_email(self, email: EmailAddress) -> UserAccount | None:
        claims = self._database.user_accounts.groups.get(email.comparable, {}).values()
        open_claims = [account for account in claims if account.status is not AccountStatus.CLOSED]
        return max(open_claims, key=lambda account: (account.is_verified, account.created_at, account.id), default=None)

    async def by_one_time_token(self, token_hash: bytes, purpose: TokenPurpose) -> UserId | None:
        row = self._database.one_time_tokens.rows.get(token_hash)
        return row.value.token.user_id if row is not None and row.value.token.purpose is purpose else None
