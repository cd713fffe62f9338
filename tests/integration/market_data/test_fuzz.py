"""Whatever stands in a file: candles and rejected rows come out, or one sentence; never another exception, never a wrong candle."""

from __future__ import annotations

import asyncio
import tempfile
from math import isfinite
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.market_data.files import HEADER, a_row, read
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import candle_fault

fields = st.one_of(
    st.sampled_from(["", "nan", "inf", "-1", "0", "1e308", "1_0", '"', "10", "9", "12", " 11 ", "0x10", "٣", "1,5", "\0"]),
    st.floats(allow_nan=True).map(repr),
    st.text(max_size=8),
)
stamps = st.one_of(
    st.integers(0, 200).map(lambda hour: a_row(hour).split(",")[0]),
    st.sampled_from(
        ["2026-03-02", "2026-03-02 05:00", "1772409600", "1e300", "-5", "99999999999999999999", "2026-03-02T00:00:00+14:00"]
    ),
    fields,
)
rows = st.one_of(
    st.integers(0, 200).map(a_row),
    st.tuples(stamps, st.lists(fields, max_size=7)).map(lambda row: ",".join([row[0], *row[1]])),
    st.text(max_size=40),
)


def outcome(content: bytes) -> tuple[int, int] | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.csv"
        path.write_bytes(content)
        try:
            result = asyncio.run(read(path, zone="America/New_York"))
        except InvalidInput:
            return None
    assert result.rows_read == len(result.candles) + len(result.rejected)
    assert result.bytes_read == len(content)
    assert len(set(result.times)) == len(result.candles)
    for candle in result.candles:
        assert candle_fault(candle.open, candle.high, candle.low, candle.close, candle.volume) is None
        assert isfinite(candle.volume)
        assert candle.open_time.minute == candle.open_time.second == candle.open_time.microsecond == 0
    return len(result.candles), len(result.rejected)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rows, max_size=30))
def test_any_rows_under_a_good_header(lines: list[str]) -> None:
    outcome("\n".join([HEADER, *lines]).encode("utf-8", errors="surrogatepass"))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    outcome(content)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=60), st.sets(st.integers(0, 59), max_size=10))
def test_good_rows_survive_any_bad_neighbours(hours: list[int], spoiled: set[int]) -> None:
    lines = [a_row(hour) if index not in spoiled else "spoiled" for index, hour in enumerate(hours)]
    kept = {hour for index, hour in enumerate(hours) if index not in spoiled}
    result = outcome("\n".join([HEADER, *lines]).encode())
    if result is not None:
        assert result == (len(kept), len(hours) - len(kept))
