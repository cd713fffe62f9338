"""What every paged list promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from tradingcore.kernel.page import Page, PageRequest

T = TypeVar("T")


async def assert_pages_walk(
    read: Callable[[PageRequest], Awaitable[Page[T]]], expected: Sequence[UUID], identify: Callable[[T], UUID], *, limit: int = 3
) -> None:
    """Walk a list to its end and back; each row must come once, in order, in both directions.

    ``expected`` holds the ids in list order and must be longer than ``limit``.
    """
    forward: list[list[UUID]] = []
    page = await read(PageRequest(limit=limit))
    assert page.prev is None, "nothing comes before the first page"
    while True:
        forward.append([identify(item) for item in page.items])
        if page.next is None:
            break
        page = await read(PageRequest(limit=limit, after=page.next))
    assert [id_ for ids in forward for id_ in ids] == list(expected)
    assert all(len(ids) == limit for ids in forward[:-1])

    backward: list[UUID] = []
    while page.prev is not None:
        page = await read(PageRequest(limit=limit, before=page.prev))
        backward[:0] = [identify(item) for item in page.items]
        assert page.next is not None or not page.items
    assert backward == [id_ for ids in forward[:-1] for id_ in ids]
    assert len((await read(PageRequest(limit=200))).items) == len(expected)
