from __future__ import annotations

from datetime import datetime

from adapters.memory.database import MemoryDatabase
from tradingcore.auth.queries import AuditEntry, AuditTrail
from tradingcore.kernel.aggregate import AuditedEvent, RecordedEvent
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.codec import encode
from tradingcore.kernel.page import Page, PageRequest, Position, page_from


class MemoryAuditTrail(AuditTrail):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def list_about(self, actor: Actor, user_id: UserId, page: PageRequest) -> Page[AuditEntry]:
        if not actor.is_platform and actor.user_id != user_id:
            return Page(items=())
        entries = [
            _entry(recorded, who, at)
            for recorded, who, at in self._database.audit
            if isinstance(recorded.event, AuditedEvent) and recorded.event.user_id == user_id
        ]
        entries.sort(key=_key, reverse=page.before is None)
        if page.after is not None:
            entries = [entry for entry in entries if _key(entry) < (page.after.at, page.after.id)]
        if page.before is not None:
            entries = [entry for entry in entries if _key(entry) > (page.before.at, page.before.id)]
        return page_from(entries[: page.limit + 1], page, lambda entry: Position(entry.at, entry.id))


def _entry(recorded: RecordedEvent, actor: Actor, at: datetime) -> AuditEntry:
    event = recorded.event
    assert isinstance(event, AuditedEvent)
    return AuditEntry(
        id=recorded.id,
        at=at,
        type=event.type,
        user_id=event.user_id,
        actor_id=actor.acting_user_id,
        actor_name=actor.name,
        facts=encode(event),
    )


def _key(entry: AuditEntry) -> tuple[datetime, object]:
    return entry.at, entry.id
