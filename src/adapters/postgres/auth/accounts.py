from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.data_keys import KEY_COLUMNS, DataKeys, wrapped_key
from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.accounts import account_from_row, account_to_row, email_index, token_from_row, token_to_row
from adapters.postgres.tables.auth.accounts import data_keys, one_time_tokens, user_accounts
from adapters.postgres.unit import PostgresUnit
from tradingcore.auth.errors import AccountNotFound, AddressTaken, Unsealable
from tradingcore.auth.model.account import Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.model.password import PasswordHash
from tradingcore.auth.ports.accounts import AccountLookup, AccountRepository, OneTimeTokens
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.authz import Actor, Permission, TraceId, UserId
from tradingcore.kernel.errors import StaleVersion

ACCOUNTS: Final[Select[Any]] = select(user_accounts, *KEY_COLUMNS).outerjoin(data_keys, data_keys.c.user_id == user_accounts.c.id)
"""Accounts with the data keys of their owners, for `read_account`."""

LOOK_UP: Final = Actor(trace_id=TraceId("0" * 32), permissions=frozenset({Permission.SYSTEM}), name="look-up")
"""Nobody yet: ``tc_api`` shows it what it names and no more, ``tc_worker`` everything."""

_UNIQUE_VIOLATION: Final = "23505"
# The policies show a row to whoever names it: an index is keyed, and the hash of a token cannot be guessed.
_NAME_EMAIL: Final = text("select set_config('app.email_index', :index, true)")
_NAME_TOKEN: Final = text("select set_config('app.one_time_hash', :hash, true)")


def read_account(row: Row[Any], sealer: Sealer) -> UserAccount:
    """An account from a row of `ACCOUNTS`."""
    return account_from_row(row, sealer, None if row.key_id is None else wrapped_key(row))


class PostgresAccountRepository(AccountRepository):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit, keys: DataKeys, sealer: Sealer) -> None:
        self._unit = unit
        self._keys = keys
        self._sealer = sealer

    async def get(self, user_id: UserId) -> UserAccount:
        row = (await self._unit.connection.execute(ACCOUNTS.where(user_accounts.c.id == user_id))).one_or_none()
        if row is None:
            raise AccountNotFound(f"there is no account {user_id}")
        return read_account(row, self._sealer)

    async def save(self, account: UserAccount) -> UserAccount:
        actor = self._unit.actor
        if not (actor.user_id == account.id or actor.is_platform or Permission.USERS_MANAGE in actor.permissions):
            raise AccountNotFound(f"there is no account {account.id}")
        is_new = account.version == 0
        is_personal = account.email is not None or bool(account.profile.display_name)
        key = self._keys.fresh() if is_new else await self._keys.of(account.id) if is_personal else None
        row = account_to_row(account, self._sealer, key)
        try:
            saved = await self._unit.save(user_accounts, account, row, what=f"account {account.id}")
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION:
                raise _taken(account) from None
            raise
        except StaleVersion:
            if is_new and account.is_verified and not await self._exists(account.id):
                raise _taken(account) from None
            raise
        if is_new:
            assert key is not None
            await self._keys.store(account.id, key)
        return saved

    async def _exists(self, user_id: UserId) -> bool:
        found = await self._unit.connection.execute(select(user_accounts.c.id).where(user_accounts.c.id == user_id))
        return found.one_or_none() is not None


def _taken(account: UserAccount) -> AddressTaken:
    return AddressTaken(f"the address of account {account.id} was proven by another account")


class PostgresOneTimeTokens(OneTimeTokens):
    def __init__(self, unit: PostgresUnit, keys: DataKeys, sealer: Sealer) -> None:
        self._unit = unit
        self._keys = keys
        self._sealer = sealer

    async def add(self, token: OneTimeToken) -> None:
        key = await self._keys.of(token.user_id) if token.bound_to else None
        await self._unit.connection.execute(insert(one_time_tokens), token_to_row(token, self._sealer, key))

    async def consume(self, token_hash: bytes, purpose: TokenPurpose, *, at: datetime) -> OneTimeToken | None:
        statement = (
            update(one_time_tokens)
            .where(
                one_time_tokens.c.token_hash == token_hash,
                one_time_tokens.c.purpose == purpose,
                one_time_tokens.c.used_at.is_(None),
                one_time_tokens.c.expires_at > at,
            )
            .values(used_at=at)
            .returning(one_time_tokens)
        )
        row = (await self._unit.connection.execute(statement)).one_or_none()
        if row is None:
            return None
        key = None if row.bound_sealed is None else await self._keys.of(UserId(row.user_id))
        return token_from_row(row, self._sealer, key)

    async def void(self, user_id: UserId, purposes: Sequence[TokenPurpose]) -> None:
        statement = (
            update(one_time_tokens)
            .where(
                one_time_tokens.c.user_id == user_id,
                one_time_tokens.c.purpose.in_(purposes),
                one_time_tokens.c.used_at.is_(None),
            )
            .values(used_at=func.now())
        )
        await self._unit.connection.execute(statement)

    async def forget_expired(self, *, before: datetime) -> int:
        if not self._unit.actor.is_platform:
            return 0
        return (await self._unit.connection.execute(delete(one_time_tokens).where(one_time_tokens.c.expires_at < before))).rowcount


class PostgresAccountLookup(AccountLookup):
    """The role of ``engine`` is ``tc_api`` or ``tc_worker``. An address that nobody has takes as long to look up as a known one."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._decoy = cache(partial(_decoy_row, sealer))

    async def by_email(self, email: EmailAddress) -> UserAccount | None:
        index = email_index(self._sealer, email)
        statement = (
            ACCOUNTS.where(user_accounts.c.email_index == index)
            .order_by(user_accounts.c.verified_at.is_(None), user_accounts.c.created_at.desc(), user_accounts.c.id.desc())
            .limit(1)
        )
        async with transaction(self._engine, LOOK_UP, read_only=True) as connection:
            await connection.execute(_NAME_EMAIL, {"index": index.hex()})
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            self._open_decoy()
            return None
        return read_account(row, self._sealer)

    def _open_decoy(self) -> None:
        try:
            read_account(self._decoy(), self._sealer)
        except Unsealable:
            # The key that wraps its key was retired meanwhile: the next one is made anew.
            self._decoy.cache_clear()

    async def by_one_time_token(self, token_hash: bytes, purpose: TokenPurpose) -> UserId | None:
        statement = select(one_time_tokens.c.user_id).where(
            one_time_tokens.c.token_hash == token_hash, one_time_tokens.c.purpose == purpose
        )
        async with transaction(self._engine, LOOK_UP, read_only=True) as connection:
            await connection.execute(_NAME_TOKEN, {"hash": token_hash.hex()})
            found = (await connection.execute(statement)).scalar_one_or_none()
        return None if found is None else UserId(found)


def _decoy_row(sealer: Sealer) -> Any:
    """What is opened where there is no account, because opening one takes time."""
    key, nobody = sealer.new_key(), UserId(UUID(int=0))
    account = UserAccount.register(
        id=nobody,
        email=EmailAddress("nobody@example.invalid"),
        password=PasswordHash(scheme="none", encoded=""),
        profile=Profile(display_name="Nobody At All"),
        at=datetime.fromtimestamp(0, UTC),
    )
    columns = {**account_to_row(account, sealer, key), "version": 0}
    return SimpleNamespace(**columns, key_id=key.id, key_wrapped=key.wrapped, key_version=key.key_version)
