"""Aggregates and the facts that they announce."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Self

from tradingcore.kernel.authz import EventId, TraceId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """A fact that others may react to.

    Subclasses set ``type`` (``trading.candle_closed``) and answer ``ordering_key``: events with one key are delivered in the order
    in which they were committed.
    """

    type: ClassVar[str]
    occurred_at: datetime

    @property
    def ordering_key(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say in which order it must be delivered")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedEvent(DomainEvent):
    """A security-relevant act. The unit of work writes it to the audit trail in the transaction that does it.

    ``user_id`` is whom it concerns; ``None`` when nobody known was meant. Events carry ids and plain facts, never personal data.
    """

    user_id: UserId | None

    @property
    def ordering_key(self) -> str:
        return f"user:{self.user_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event as the outbox holds it; a handler may see one more than once and always with the same ``id``."""

    id: EventId
    trace_id: TraceId
    event: DomainEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A consistency boundary with a row version.

    Objects are values: a transition returns a new one and adds to ``pending_events``, which `save` moves to the outbox.
    ``version`` is the version that was read; 0 means never saved.
    """

    version: int = 0
    pending_events: tuple[DomainEvent, ...] = field(default=(), compare=False, repr=False)

    def announcing(self, *events: DomainEvent) -> Self:
        return replace(self, pending_events=(*self.pending_events, *events))

    def saved(self) -> Self:
        """What `save` returns: the next version, nothing pending."""
        # Not `replace`: it checks again what was checked, and takes four times as long, three times a candle.
        saved = object.__new__(type(self))
        for name in self.__dataclass_fields__:
            object.__setattr__(saved, name, getattr(self, name))
        object.__setattr__(saved, "version", self.version + 1)
        object.__setattr__(saved, "pending_events", ())
        return saved
