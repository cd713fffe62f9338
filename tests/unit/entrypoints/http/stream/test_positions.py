from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.stream.positions import format_positions, parse_positions
from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.model.stream import StreamPosition

POSITIONS = st.builds(StreamPosition, st.text("0123456789abcdef", min_size=1, max_size=32), st.integers(0, 2**40))


@given(st.lists(POSITIONS, min_size=1, max_size=64))
def test_positions_come_back_as_they_were(positions: list[StreamPosition]) -> None:
    assert parse_positions(format_positions(positions), count=len(positions)) == positions


def test_topics_of_one_epoch_name_it_once() -> None:
    assert format_positions([StreamPosition("9f", 12), StreamPosition("9f", 7), StreamPosition("ab", 0)]) == "9f:12,7,ab:0"


@pytest.mark.parametrize(
    "text", ["", "12", ":12", "9f:", "9f:-1", "9f:x", "9f:1,2", "9f:1 ", "9f:²", "9f:" + "9" * 20, "e" * 65 + ":1"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_positions(text, count=1)


@given(st.text(max_size=50), st.integers(1, 4))
def test_any_text_is_positions_or_refused(text: str, count: int) -> None:
    with suppress(InvalidInput):
        assert len(parse_positions(text, count=count)) == count
