"""What is committed to the outbox and not settled yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from adapters.memory.alarm import Alarm
from tradingcore.kernel.aggregate import RecordedEvent
from tradingcore.kernel.authz import EventId
from tradingcore.kernel.ports import ParkedEvent


@dataclass(slots=True, kw_only=True)
class OutboxEntry:
    """An open event, changed in place by the relay's side."""

    sequence: int
    recorded: RecordedEvent
    committed_at: datetime
    attempts: int = 0
    token: int = 0
    free_at: datetime | None = None
    """Until when it is lent or delayed."""


class OutboxRows:
    """Open events per ordering key, oldest first, and the dead letters."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[OutboxEntry]] = {}
        self.parked: dict[EventId, tuple[ParkedEvent, RecordedEvent]] = {}
        self.last_token = 0
        self._last_sequence = 0
        self.alarm = Alarm()

    def append(self, events: Iterable[RecordedEvent], *, at: datetime) -> None:
        for recorded in events:
            self._last_sequence += 1
            entry = OutboxEntry(sequence=self._last_sequence, recorded=recorded, committed_at=at)
            key = recorded.event.ordering_key
            queue = self.queues.get(key)
            if queue is None:
                self.queues[key] = deque((entry,))
            else:
                queue.append(entry)
        self.alarm.ring()
