"""Ports that every context needs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar
from uuid import UUID

from tradingcore.kernel.aggregate import RecordedEvent
from tradingcore.kernel.authz import Actor, EventId, TraceId
from tradingcore.kernel.limits import AttemptKey, RateState, Reservation

U = TypeVar("U", covariant=True)


class Clock(Protocol):
    """The time, as the core knows it."""

    __slots__ = ()

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""


class IdGenerator(Protocol):
    """Fresh identifiers."""

    __slots__ = ()

    @abstractmethod
    def new_id(self) -> UUID:
        """Return a UUID, version 7: time-ordered and unique."""

    @abstractmethod
    def new_trace_id(self) -> TraceId:
        """Return 32 lower-case hexadecimal digits, the form of W3C Trace Context."""


class SecretSource(Protocol):
    """Randomness that an attacker cannot guess."""

    __slots__ = ()

    @abstractmethod
    def token(self, size: int) -> bytes:
        """Return ``size`` random bytes."""


class Observer(Protocol):
    """Told about every call of a use case: the place of logs, metrics and spans."""

    __slots__ = ()

    @abstractmethod
    def watch(self, use_case: str, actor: Actor) -> AbstractContextManager[None]:
        """Return a context that the call runs in; it sees how the call ends and never changes it."""


class _Silent(Observer):
    __slots__ = ()

    def watch(self, use_case: str, actor: Actor) -> AbstractContextManager[None]:
        return nullcontext()


SILENT: Final[Observer] = _Silent()


class UnitOfWorkFactory(Protocol[U]):
    """Opens a unit of work for an actor.

    ``async with factory(actor) as unit`` commits on a clean exit and rolls back on an exception. It is never nested and never held
    across a call to the outside. When ``actor.cause`` is set, the cause is recorded in the same transaction before anything else;
    a cause that was recorded before raises `AlreadyHandled`. Events of saved aggregates become visible to the relay exactly when
    the transaction commits.
    """

    __slots__ = ()

    @abstractmethod
    def __call__(self, actor: Actor) -> AbstractAsyncContextManager[U]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedEvent:
    """An event on loan to one relay. ``token`` fences: a relay that lost its lease cannot settle."""

    recorded: RecordedEvent
    token: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """An event that failed too often and waits for an operator."""

    id: EventId
    type: str
    ordering_key: str
    attempts: int
    error: str
    parked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """How far the relay is: events open and parked, and the age of the oldest open one."""

    open: int
    parked: int
    oldest_age: timedelta | None


class Outbox(Protocol):
    """The relay's side of the outbox. At least once; per ordering key only the oldest open event is ever on loan.

    An event that is parked does not hold back later events of its key.
    """

    __slots__ = ()

    @abstractmethod
    async def claim(self, *, limit: int, lease: timedelta, settled: Sequence[ClaimedEvent] = ()) -> Sequence[ClaimedEvent]:
        """Lend at most ``limit`` events, oldest first, none of them lent elsewhere or delayed.

        ``settled`` are taken off the list before, as `settle` does: a relay does both in one step for every event.
        """

    @abstractmethod
    async def settle(self, claimed: Sequence[ClaimedEvent]) -> None:
        """Take them off the list for good. Those whose lease was lost are left alone."""

    @abstractmethod
    async def retry(self, claimed: ClaimedEvent, *, delay: timedelta, error: str) -> None:
        """Give it back, to be lent again after ``delay``."""

    @abstractmethod
    async def park(self, claimed: ClaimedEvent, *, error: str) -> None:
        """Move it to the dead letters."""

    @abstractmethod
    async def replay(self, ids: Sequence[EventId] | None = None) -> int:
        """Put dead letters (all of them for ``None``) back on the list and return how many."""

    @abstractmethod
    async def wait(self, at_most: timedelta) -> None:
        """Return when something was committed, or after ``at_most``; a hint, never a promise."""

    @abstractmethod
    async def status(self) -> OutboxStatus: ...


class DeadLetters(Protocol):
    """What an operator reads of the outbox."""

    __slots__ = ()

    @abstractmethod
    async def list_parked(self, *, limit: int) -> Sequence[ParkedEvent]:
        """Return the newest first."""


class Inbox(Protocol):
    """What handlers have recorded, so that an event which comes again is known."""

    __slots__ = ()

    @abstractmethod
    async def forget_handled(self, *, older_than: timedelta) -> int:
        """Forget what was recorded longer ago and return how much: choose far more than an event can be on its way."""


class AttemptLimiter(Protocol):
    """Counts attempts that may fail, exactly, over all processes that share it. Windows move: they have no edges to wait for."""

    __slots__ = ()

    @abstractmethod
    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        """Count an attempt in every bucket, or in none, before it is looked at.

        Raises `TooManyAttempts`, which does not say for which bucket, when one that refuses is full. One that asks for a challenge
        never refuses: when it is full, nothing more is counted in it and the reservation needs a challenge. Raises `Unavailable`.
        """

    @abstractmethod
    async def refund(self, reservation: Reservation) -> None:
        """Uncount an attempt that was right, or that nobody looked at. Once more does nothing. Raises `Unavailable`."""

    @abstractmethod
    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        """Forget every attempt in these buckets. Raises `Unavailable`."""


class RateLimiter(Protocol):
    """Counts requests against one quota per key, exactly, over all processes that share it."""

    __slots__ = ()

    @abstractmethod
    async def hit(self, key: str) -> RateState:
        """Count a request if its key has any left; one that is not allowed is not counted. Raises `Unavailable`."""
