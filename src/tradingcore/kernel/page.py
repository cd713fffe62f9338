"""Pages of a list: keyset, newest first unless a query says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

from tradingcore.kernel.errors import FieldError, InvalidInput

T = TypeVar("T")

DEFAULT_LIMIT: Final = 50
MAXIMUM_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Position:
    """The sort key of one row: when, and its id to break ties."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """At most ``limit`` rows strictly after ``after`` in list order, or strictly before ``before`` (still in list order)."""

    limit: int = DEFAULT_LIMIT
    after: Position | None = None
    before: Position | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAXIMUM_LIMIT:
            detail = f"limit must be from 1 to {MAXIMUM_LIMIT}, was {self.limit}"
            raise InvalidInput(detail, errors=(FieldError("/limit", "out_of_range", detail),))
        if self.after is not None and self.before is not None:
            raise InvalidInput("a page is asked for after a position or before one, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Rows in list order; ``next`` and ``prev`` are the positions to ask on from, or ``None`` where the list ends."""

    items: Sequence[T]
    next: Position | None = None
    prev: Position | None = None


def page_from(rows: Sequence[T], request: PageRequest, position: Callable[[T], Position]) -> Page[T]:
    """Build a page from at most ``limit + 1`` rows that a store read, nearest first, away from where ``request`` starts.

    The row too many only shows that the list goes on. Where a page was asked from a position, the other direction is taken to
    go on, because the row at that position lies there.
    """
    goes_on = len(rows) > request.limit
    items = list(rows[: request.limit])
    if request.before is not None:
        items.reverse()
    if not items:
        return Page(items=())
    is_backward, starts_inside = request.before is not None, request.after is not None
    return Page(
        items=items,
        next=position(items[-1]) if is_backward or goes_on else None,
        prev=position(items[0]) if starts_inside or (is_backward and goes_on) else None,
    )
