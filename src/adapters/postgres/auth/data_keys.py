"""The data keys of users, as one unit of work sees them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.postgres.tables.auth.accounts import data_keys
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.ports.sealing import Sealer, WrappedKey
from tradingcore.kernel.authz import UserId

KEY_COLUMNS: Final = (
    data_keys.c.id.label("key_id"),
    data_keys.c.wrapped.label("key_wrapped"),
    data_keys.c.key_version,
)
"""For a row that is joined with the key of its owner: `wrapped_key` reads them."""


def wrapped_key(row: Any) -> WrappedKey:
    return WrappedKey(id=row.key_id, wrapped=bytes(row.key_wrapped), key_version=row.key_version)


class DataKeys:
    """Gives mappers the key of a user. Which keys can be read is decided by row-level security."""

    def __init__(self, connection: AsyncConnection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer
        self._known: dict[UserId, WrappedKey] = {}

    async def of(self, user_id: UserId) -> WrappedKey:
        """Raise `Unsealable` when the user has none (any more) that the actor may use."""
        known = self._known.get(user_id)
        if known is not None:
            return known
        statement = select(*KEY_COLUMNS).where(data_keys.c.user_id == user_id)
        row = (await self._connection.execute(statement)).one_or_none()
        if row is None:
            raise Unsealable(f"user {user_id} has no data key: it was erased, or is another user's")
        key = self._known[user_id] = wrapped_key(row)
        return key

    def fresh(self) -> WrappedKey:
        """A key that is not stored yet; `store` does that once its user has a row."""
        return self._sealer.new_key()

    async def store(self, user_id: UserId, key: WrappedKey) -> None:
        row = {"id": key.id, "user_id": user_id, "wrapped": key.wrapped, "key_version": key.key_version}
        await self._connection.execute(insert(data_keys), row)
        self._known[user_id] = key
