from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.factors import passkey_from_row, passkey_to_row
from adapters.postgres.tables.auth.factors import passkeys, spent_passkey_tokens
from adapters.postgres.unit import NOBODY, PostgresUnit
from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.ports.passkeys import PasskeyLookup, Passkeys
from tradingcore.kernel.authz import UserId

_NAME_CREDENTIAL: Final = text("select set_config('app.passkey_credential', :credential, true)")


class PostgresPasskeys(Passkeys):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def list_of(self, user_id: UserId) -> Sequence[Passkey]:
        statement = select(passkeys).where(passkeys.c.user_id == user_id).order_by(passkeys.c.created_at, passkeys.c.id)
        return [passkey_from_row(row) for row in await self._unit.connection.execute(statement)]

    async def add(self, passkey: Passkey) -> bool:
        statement = insert(passkeys).on_conflict_do_nothing()
        return (await self._unit.connection.execute(statement, passkey_to_row(passkey))).rowcount == 1

    async def record_use(self, passkey: Passkey, *, sign_count: int, at: datetime) -> bool:
        # As `counts_up` says, of the counter that is stored now.
        follows = passkeys.c.sign_count < sign_count if sign_count else passkeys.c.sign_count == 0
        statement = (
            update(passkeys)
            .where(passkeys.c.id == passkey.id, passkeys.c.user_id == passkey.user_id, follows)
            .values(sign_count=sign_count, last_used_at=at)
        )
        return (await self._unit.connection.execute(statement)).rowcount == 1

    async def rename(self, user_id: UserId, passkey_id: PasskeyId, label: str) -> bool:
        statement = update(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.user_id == user_id).values(label=label)
        return (await self._unit.connection.execute(statement)).rowcount == 1

    async def remove(self, user_id: UserId, passkey_id: PasskeyId) -> bool:
        statement = delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.user_id == user_id)
        return (await self._unit.connection.execute(statement)).rowcount == 1

    async def spend(self, user_id: UserId, token_hash: bytes, *, expires_at: datetime, at: datetime) -> bool:
        expired = spent_passkey_tokens.c.user_id == user_id, spent_passkey_tokens.c.expires_at <= at
        await self._unit.connection.execute(delete(spent_passkey_tokens).where(*expired))
        row = {"user_id": user_id, "token_hash": token_hash, "expires_at": expires_at}
        statement = insert(spent_passkey_tokens).on_conflict_do_nothing()
        return (await self._unit.connection.execute(statement, row)).rowcount == 1


class PostgresPasskeyLookup(PasskeyLookup):
    """The role of ``engine`` is ``tc_api``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_credential(self, credential_id: bytes) -> Passkey | None:
        statement = select(passkeys).where(passkeys.c.credential_id == credential_id)
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            await connection.execute(_NAME_CREDENTIAL, {"credential": credential_id.hex()})
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else passkey_from_row(row)
