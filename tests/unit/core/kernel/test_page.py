from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.page import MAXIMUM_LIMIT, Page, PageRequest, Position, page_from

START = datetime(2026, 1, 1, tzinfo=UTC)
# Several rows of one instant: only the id tells them apart.
row_lists = st.lists(
    st.builds(
        lambda hour, number: Position(START + timedelta(hours=hour), UUID(int=number)), st.integers(0, 3), st.integers(0, 2**16)
    ),
    unique=True,
    max_size=30,
)


def newest_first(rows: Sequence[Position]) -> list[Position]:
    return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)


def read(rows: Sequence[Position], request: PageRequest) -> Page[Position]:
    """What a store does: the rows beyond the position, nearest first, one more than asked for."""
    if request.after is not None:
        rows = rows[rows.index(request.after) + 1 :]
    elif request.before is not None:
        rows = rows[: rows.index(request.before)][::-1]
    return page_from(rows[: request.limit + 1], request, lambda row: row)


@given(row_lists, st.integers(1, 7))
def test_walking_forward_sees_every_row_once(rows: list[Position], limit: int) -> None:
    listed = newest_first(rows)
    page = read(listed, PageRequest(limit=limit))
    seen = list(page.items)
    while page.next is not None:
        page = read(listed, PageRequest(limit=limit, after=page.next))
        seen += page.items
    assert seen == listed


@given(row_lists.filter(bool), st.integers(1, 7))
def test_walking_back_from_the_end_sees_every_other_row_once(rows: list[Position], limit: int) -> None:
    listed = newest_first(rows)
    seen: list[Position] = []
    before: Position | None = listed[-1]
    while before is not None:
        page = read(listed, PageRequest(limit=limit, before=before))
        assert len(page.items) <= limit
        seen = [*page.items, *seen]
        before = page.prev
    assert seen == listed[:-1]


@given(row_lists.filter(lambda rows: len(rows) > 2), st.integers(1, 7))
def test_back_after_forth_is_where_one_was(rows: list[Position], limit: int) -> None:
    listed = newest_first(rows)
    first = read(listed, PageRequest(limit=limit))
    if first.next is None:
        return
    second = read(listed, PageRequest(limit=limit, after=first.next))
    if second.prev is not None:
        assert read(listed, PageRequest(limit=limit, before=second.prev)).items == first.items


def test_the_first_page_of_a_short_list_leads_nowhere() -> None:
    page = read([Position(START, UUID(int=1))], PageRequest())
    assert (page.next, page.prev) == (None, None)


@pytest.mark.parametrize("limit", [0, -1, MAXIMUM_LIMIT + 1])
def test_a_limit_out_of_range_is_told_with_its_place(limit: int) -> None:
    with pytest.raises(InvalidInput, match=f"was {limit}") as caught:
        PageRequest(limit=limit)
    assert [error.pointer for error in caught.value.errors] == ["/limit"]


def test_a_page_has_one_start() -> None:
    here = Position(START, UUID(int=1))
    with pytest.raises(InvalidInput, match="not both"):
        PageRequest(after=here, before=here)
