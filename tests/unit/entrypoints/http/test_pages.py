"""Cursors and the lists that they lead through."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.pages import Cursors
from tests.unit.entrypoints.http.world import World
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.page import PageRequest, Position

CURSORS = Cursors(b"k" * 32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIST, OTHER_LIST = b"a list..", b"another."
positions = st.builds(
    Position,
    st.integers(-(10**15), 10**15).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)),
    st.uuids(),
)
requests = st.one_of(
    st.builds(PageRequest, limit=st.integers(1, 200), after=positions),
    st.builds(PageRequest, limit=st.integers(1, 200), before=positions),
)


@given(requests)
def test_a_cursor_opens_to_what_was_sealed(request: PageRequest) -> None:
    assert CURSORS.open(CURSORS.seal(request, LIST), LIST, limit=request.limit) == request


@given(requests)
def test_a_cursor_opens_in_its_own_list_only(request: PageRequest) -> None:
    with pytest.raises(InvalidInput):
        CURSORS.open(CURSORS.seal(request, LIST), OTHER_LIST, limit=request.limit)


@given(requests, st.integers(0), st.characters(codec="ascii"))
def test_a_changed_cursor_is_refused(request: PageRequest, place: int, character: str) -> None:
    cursor = CURSORS.seal(request, LIST)
    place %= len(cursor)
    changed = cursor[:place] + character + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(InvalidInput):
            CURSORS.open(changed, LIST, limit=request.limit)


@given(requests)
def test_a_cursor_has_one_spelling(request: PageRequest) -> None:
    cursor = CURSORS.seal(request, LIST)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character carries two bits that mean nothing.
    same_bytes = alphabet[alphabet.index(cursor[-1]) ^ 1]
    for other in (cursor[:-1] + same_bytes, cursor + "=", cursor + "\n"):
        with pytest.raises(InvalidInput):
            CURSORS.open(other, LIST, limit=request.limit)


@given(st.text(max_size=128))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        CURSORS.open(text, LIST, limit=1)


@given(requests)
def test_a_cursor_of_another_key_is_refused(request: PageRequest) -> None:
    with pytest.raises(InvalidInput):
        Cursors(b"j" * 32).open(CURSORS.seal(request, LIST), LIST, limit=request.limit)


def test_a_cursor_tells_nothing_of_the_key() -> None:
    position = Position(datetime(2026, 3, 2, tzinfo=UTC), UUID(int=7))
    assert re.fullmatch(r"[A-Za-z0-9_\-]{66,68}", CURSORS.seal(PageRequest(after=position), LIST))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Cursors(b"short")


@pytest.mark.parametrize("path", ["/api/v1/trading/signals", "/api/v1/trading/decisions"])
async def test_a_list_is_walked_to_its_end_and_back(shared_world: World, path: str) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        everything = [row["id"] for row in (await client.get(path)).json()["data"]]
        seen: list[list[str]] = []
        url: str | None = f"{path}?limit=2&symbol=BTC/USDT"
        while url is not None:
            answer = await client.get(url)
            page = answer.json()["page"]
            seen.append([row["id"] for row in answer.json()["data"]])
            url = answer.links.get("next", {}).get("url")
            assert page["has_more"] == (url is not None)
            assert (page["next_cursor"] or "") in (url or "")
            last = answer
        assert [row for rows in seen for row in rows] == everything
        back = await client.get(last.links["prev"]["url"])
        assert [row["id"] for row in back.json()["data"]] == seen[-2]


async def test_a_cursor_holds_for_its_filters_only(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        cursor = (await client.get("/api/v1/trading/signals?limit=2")).json()["page"]["next_cursor"]
        for path in ("/api/v1/trading/signals?side=long&cursor=", "/api/v1/trading/decisions?cursor="):
            answer = await client.get(path + cursor)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")
        assert (await client.get(f"/api/v1/trading/signals?limit=1&cursor={cursor}")).status_code == 200
