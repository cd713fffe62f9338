from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import transaction
from adapters.postgres.pages import paged
from adapters.postgres.tables.audit import events
from tradingcore.auth.queries import AuditEntry, AuditTrail
from tradingcore.kernel.authz import Actor, EventId, UserId
from tradingcore.kernel.page import Page, PageRequest, Position, page_from


class PostgresAuditTrail(AuditTrail):
    """What the actor may see is decided by row-level security."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list_about(self, actor: Actor, user_id: UserId, page: PageRequest) -> Page[AuditEntry]:
        statement = select(events).where(events.c.user_id == user_id)
        async with transaction(self._engine, actor, read_only=True) as connection:
            rows = await connection.execute(paged(statement, events.c.recorded_at, events.c.id, page))
            found = [
                AuditEntry(
                    id=EventId(row.id),
                    at=row.recorded_at,
                    type=row.type,
                    user_id=row.user_id,
                    actor_id=row.actor_id,
                    actor_name=row.actor_name,
                    facts=row.facts,
                )
                for row in rows
            ]
        return page_from(found, page, lambda entry: Position(entry.at, entry.id))
