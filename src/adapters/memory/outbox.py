from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from adapters.memory.database import MemoryDatabase
from adapters.memory.outbox_rows import OutboxEntry
from tradingcore.kernel.authz import EventId
from tradingcore.kernel.ports import ClaimedEvent, DeadLetters, Inbox, Outbox, OutboxStatus, ParkedEvent


class MemoryOutbox(Outbox, DeadLetters, Inbox):
    """The relay's side of what units of work appended to ``database``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows = database.outbox
        self._causes = database.causes
        self._clock = database.clock

    async def claim(self, *, limit: int, lease: timedelta, settled: Sequence[ClaimedEvent] = ()) -> Sequence[ClaimedEvent]:
        await self.settle(settled)
        rows = self._rows
        if not rows.queues:
            return ()
        now = self._clock.now()
        free = [queue[0] for queue in rows.queues.values() if queue[0].free_at is None or queue[0].free_at <= now]
        free.sort(key=lambda entry: entry.sequence)
        claimed = []
        for entry in free[:limit]:
            rows.last_token += 1
            entry.token = rows.last_token
            entry.attempts += 1
            entry.free_at = now + lease
            claimed.append(ClaimedEvent(recorded=entry.recorded, token=entry.token, attempt=entry.attempts))
        return claimed

    async def settle(self, claimed: Sequence[ClaimedEvent]) -> None:
        for one in claimed:
            entry = self._entry(one)
            if entry is not None:
                self._remove(entry)

    async def retry(self, claimed: ClaimedEvent, *, delay: timedelta, error: str) -> None:
        entry = self._entry(claimed)
        if entry is not None:
            entry.token = 0
            entry.free_at = self._clock.now() + delay

    async def park(self, claimed: ClaimedEvent, *, error: str) -> None:
        entry = self._entry(claimed)
        if entry is None:
            return
        self._remove(entry)
        recorded = entry.recorded
        parked = ParkedEvent(
            id=recorded.id,
            type=recorded.event.type,
            ordering_key=recorded.event.ordering_key,
            attempts=entry.attempts,
            error=error,
            parked_at=self._clock.now(),
        )
        self._rows.parked[recorded.id] = (parked, recorded)

    async def replay(self, ids: Sequence[EventId] | None = None) -> int:
        chosen = list(self._rows.parked) if ids is None else [id_ for id_ in ids if id_ in self._rows.parked]
        self._rows.append([self._rows.parked.pop(id_)[1] for id_ in chosen], at=self._clock.now())
        return len(chosen)

    async def wait(self, at_most: timedelta) -> None:
        await self._rows.alarm.sleep(at_most.total_seconds())

    async def status(self) -> OutboxStatus:
        queues = self._rows.queues.values()
        oldest = min((queue[0].committed_at for queue in queues), default=None)
        return OutboxStatus(
            open=sum(map(len, queues)),
            parked=len(self._rows.parked),
            oldest_age=None if oldest is None else self._clock.now() - oldest,
        )

    async def list_parked(self, *, limit: int) -> Sequence[ParkedEvent]:
        newest_first = sorted((parked for parked, _ in self._rows.parked.values()), key=lambda one: (one.parked_at, one.id))
        return newest_first[::-1][:limit]

    async def forget_handled(self, *, older_than: timedelta) -> int:
        horizon = self._clock.now() - older_than
        old = [cause for cause, handled_at in self._causes.items() if handled_at < horizon]
        for cause in old:
            del self._causes[cause]
        return len(old)

    def _entry(self, claimed: ClaimedEvent) -> OutboxEntry | None:
        """The open event, unless the lease went to somebody else meanwhile."""
        queue = self._rows.queues.get(claimed.recorded.event.ordering_key)
        if not queue or queue[0].token != claimed.token or queue[0].recorded.id != claimed.recorded.id:
            return None
        return queue[0]

    def _remove(self, entry: OutboxEntry) -> None:
        key = entry.recorded.event.ordering_key
        queue = self._rows.queues[key]
        queue.popleft()
        if not queue:
            del self._rows.queues[key]
