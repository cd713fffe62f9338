from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.intake import SeenTimes
from tests.integration.market_data.files import DAILY, HEADER, a_csv, a_row, hourly, read
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Candle, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import MONDAY

HOUR = timedelta(hours=1)
MILLENNIUM_MS = 946_684_800_000


async def test_rows_become_candles(tmp_path: Path) -> None:
    path = a_csv(tmp_path, hourly(5))
    result = await read(path)
    assert result.candles[0] == Candle(MONDAY, 10, 12, 9, 11, 5)
    assert result.times == [MONDAY + hour * HOUR for hour in range(5)]
    assert (result.rows_read, result.bytes_read, result.rejected) == (5, path.stat().st_size, [])


async def test_gzip_is_found_by_its_content(tmp_path: Path) -> None:
    plain = a_csv(tmp_path, hourly(50))
    packed = tmp_path / "candles.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert (await read(packed)).candles == (await read(plain)).candles
    assert (await read(packed)).bytes_read == packed.stat().st_size


@pytest.mark.parametrize(
    "header",
    [
        "Timestamp,OPEN,High,low,Close,Volume",
        "open_time,o,h,l,c,v",
        '"Date","Open","High","Low","Close","Tick Volume"',
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>",
        "\ufeffunix,open,high,low,close,vol",
    ],
)
async def test_columns_are_found_by_common_names(tmp_path: Path, header: str) -> None:
    assert len((await read(a_csv(tmp_path, hourly(3), header=header))).candles) == 3


async def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    path = a_csv(tmp_path, ["x,11,9,12,10,5,2026-03-02T00:00:00Z,7"], header="symbol,close,low,high,open,volume,time,trades")
    assert (await read(path)).candles == [Candle(MONDAY, 10, 12, 9, 11, 5)]


async def test_file_without_volume_gives_volume_zero(tmp_path: Path) -> None:
    path = a_csv(tmp_path, [a_row(hour, "10,12,9,11") for hour in range(3)], header="time,open,high,low,close")
    assert [candle.volume for candle in (await read(path)).candles] == [0, 0, 0]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
async def test_other_delimiters_are_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    rows = [row.replace(",", delimiter) for row in hourly(3)]
    assert len((await read(a_csv(tmp_path, rows, header=HEADER.replace(",", delimiter)))).candles) == 3


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-02T00:00:00Z",
        "2026-03-02 00:00:00+00:00",
        "2026-03-02T01:00:00+0100",
        "2026-03-01T19:00-05:00",
        "2026-03-02T00:00:00.000Z",
        "1772409600",
        "1772409600.0",
        "1772409600000",
        "1772409600000000",
        "1772409600000000000",
    ],
)
async def test_time_may_be_iso_8601_or_an_epoch_number(tmp_path: Path, written: str) -> None:
    assert (await read(a_csv(tmp_path, [f"{written},10,12,9,11,5"]))).times == [MONDAY]


async def test_time_without_a_zone_is_refused_unless_one_is_given(tmp_path: Path) -> None:
    path = a_csv(tmp_path, ["2026-03-02 09:00:00,10,12,9,11,5", "2026-03-02 10:00:00,10,12,9,11,5"])
    with pytest.raises(InvalidInput, match=r"candles.csv.*line 2 has no timezone.*--timezone"):
        await read(path)
    assert (await read(path, zone="America/New_York")).times == [MONDAY + 14 * HOUR, MONDAY + 15 * HOUR]
    assert (await read(path, zone="UTC")).times == [MONDAY + 9 * HOUR, MONDAY + 10 * HOUR]


async def test_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no timezone 'Mars/Phobos'"):
        await read(a_csv(tmp_path, hourly(1)), zone="Mars/Phobos")


async def test_hour_that_comes_twice_in_autumn_keeps_both_passes(tmp_path: Path) -> None:
    rows = [f"2026-11-01 {hour}:00:00,10,12,9,11,5" for hour in ("00", "01", "01", "02")]
    result = await read(a_csv(tmp_path, rows), zone="America/New_York")
    first = datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert result.times == [first + hour * HOUR for hour in range(4)]


async def test_hour_that_does_not_exist_in_spring_is_rejected(tmp_path: Path) -> None:
    rows = [f"2026-03-08 {hour}:00:00,10,12,9,11,5" for hour in ("01", "02", "03")]
    result = await read(a_csv(tmp_path, rows), zone="America/New_York")
    assert len(result.candles) == 2
    assert "does not exist" in result.reasons[3]


async def test_dates_of_daily_candles_need_no_zone_and_do_not_move(tmp_path: Path) -> None:
    path = a_csv(tmp_path, [f"2026-03-{day:02},10,12,9,11,5" for day in range(2, 7)])
    expected = [MONDAY + timedelta(days=day) for day in range(5)]
    assert (await read(path, DAILY)).times == expected
    assert (await read(path, DAILY, zone="America/New_York")).times == expected
    with pytest.raises(InvalidInput, match="no timezone"):
        await read(path)


async def test_unsorted_rows_are_sorted(tmp_path: Path) -> None:
    result = await read(a_csv(tmp_path, hourly(50)[::-1]))
    assert result.times == [MONDAY + hour * HOUR for hour in range(50)]
    assert result.rejected == []


async def test_summer_and_winter_offsets_may_stand_in_one_file(tmp_path: Path) -> None:
    rows = ["2026-03-29T01:00:00+01:00,10,12,9,11,5", "2026-03-29T03:00:00+02:00,10,12,9,11,5"]
    assert (await read(a_csv(tmp_path, rows))).times == [datetime(2026, 3, 29, hour, tzinfo=UTC) for hour in (0, 1)]


async def test_blank_lines_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(("\r\n".join([HEADER, *hourly(2), "", *hourly(2, first=2)])).encode())
    result = await read(path)
    assert (len(result.candles), result.rejected) == (4, [])


async def test_small_blocks_give_the_same_as_large_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = hourly(300)
    rows[70], rows[200] = "nonsense", rows[10]
    path = a_csv(tmp_path, rows)
    whole = await read(path)
    for size in (1, 7, 100, 4096):
        monkeypatch.setattr("adapters.market_data.csv_source.BLOCK_BYTES", size)
        assert await read(path) == whole
    assert set(whole.reasons) == {72, 202}


async def test_weekly_candles_open_on_monday(tmp_path: Path) -> None:
    key = SeriesKey(SymbolCode("AAPL"), Timeframe.W1)
    result = await read(a_csv(tmp_path, ["2026-03-02,10,12,9,11,5", "2026-03-09,10,12,9,11,5", "2026-03-15,10,12,9,11,5"]), key)
    assert len(result.candles) == 2
    assert "is not the open of a 1w candle" in result.reasons[4]


@given(st.lists(st.sets(st.integers(-500, 500), min_size=1, max_size=20), max_size=15))
def test_seen_times_equal_a_set(blocks: list[set[int]]) -> None:
    seen, known = SeenTimes(60_000), set[int]()
    for block in blocks:
        slots = sorted(block)
        times = MILLENNIUM_MS + np.array(slots, dtype=np.int64) * 60_000
        assert seen.add(times).tolist() == [slot in known for slot in slots]
        known |= block
