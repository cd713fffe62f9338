from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import transaction
from adapters.postgres.listener import Listener
from adapters.postgres.tables.auth.accounts import rights_changes
from tradingcore.auth.ports.sessions import RightsChange, RightsFeed
from tradingcore.kernel.authz import Actor, TraceId, UserId

CHANNEL: Final = "tradingcore_rights"
_FOLLOWER: Final = Actor.system(TraceId("0" * 32), name="rights feed")


class PostgresRightsFeed(RightsFeed):
    """Reads what the triggers of the tables wrote down; ``listening`` gives the connection that hears NOTIFY."""

    def __init__(self, engine: AsyncEngine, listening: AsyncEngine) -> None:
        self._engine = engine
        self._listener = Listener(listening, CHANNEL)

    async def changes(self, *, within: timedelta) -> Sequence[RightsChange]:
        statement = (
            select(rights_changes.c.sequence, rights_changes.c.user_id)
            .where(rights_changes.c.changed_at > func.clock_timestamp() - within)
            .order_by(rights_changes.c.sequence)
        )
        async with transaction(self._engine, _FOLLOWER, read_only=True) as connection:
            rows = await connection.execute(statement)
            return [RightsChange(sequence=row.sequence, user_id=UserId(row.user_id)) for row in rows]

    async def forget(self, *, older_than: timedelta) -> int:
        old = rights_changes.c.changed_at < func.clock_timestamp() - older_than
        async with transaction(self._engine, _FOLLOWER) as connection:
            return (await connection.execute(delete(rights_changes).where(old))).rowcount

    async def wait(self, at_most: timedelta) -> None:
        await self._listener.wait(at_most.total_seconds())

    async def close(self) -> None:
        await self._listener.close()
