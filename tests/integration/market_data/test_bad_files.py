"""Every bad input gets one sentence that says what, where and what to do."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.asvs import asvs
from tests.integration.market_data.files import DAILY, HEADER, a_csv, a_row, hourly, read
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, Timeframe
from tradingcore.testing.builders import BTC, BTC_1H, MONDAY
from tradingcore.trading.errors import CandleFileUnreadable


async def the_error(path: Path, key: SeriesKey = BTC_1H) -> str:
    with pytest.raises(CandleFileUnreadable) as caught:
        await read(path, key)
    message = str(caught.value)
    assert path.name in message
    assert str(path.parent) not in message
    assert "\n" not in message
    return message


async def test_wrong_columns_say_what_was_found_and_what_is_needed(tmp_path: Path) -> None:
    message = await the_error(a_csv(tmp_path, ["1,2,3"], header="timestamp,price,amount"))
    assert "no column for open, high, low, close" in message
    assert "found timestamp, price, amount" in message
    assert "needed are time" in message


async def test_file_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "klines.csv"
    path.write_text("1772409600000,10,12,9,11,5\n")
    assert "has no header" in await the_error(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
async def test_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(content)
    assert "is empty" in await the_error(path)


async def test_header_without_rows(tmp_path: Path) -> None:
    assert "no rows" in await the_error(a_csv(tmp_path, []))


async def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "there is no file" in await the_error(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in await the_error(tmp_path / "folder.csv")


async def test_offsets_that_no_summer_time_explains(tmp_path: Path) -> None:
    rows = [*hourly(3), "2026-03-02T08:30:00+05:30,10,12,9,11,5"]
    message = await the_error(a_csv(tmp_path, rows))
    assert "mixes timezones" in message
    assert "line 2" in message
    assert "line 5" in message


async def test_rows_with_and_without_a_zone(tmp_path: Path) -> None:
    rows = [*hourly(3), "2026-03-02 03:00:00,10,12,9,11,5", "1772424000,10,12,9,11,5", *hourly(1, first=5)]
    result = await read(a_csv(tmp_path, rows))
    assert len(result.candles) == 4
    assert "text without a timezone" in result.reasons[5]
    assert "a number" in result.reasons[6]


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ("nan,12,9,11,5", "open is not a"),
        ("10,12,9,,5", "close is not a"),
        ("10,inf,9,11,5", "high is not a finite number"),
        ("-10,12,9,11,5", "open must be above zero, was -10"),
        ("10,12,0,11,5", "low must be above zero"),
        ("10,9,12,11,5", "high 9.0 is below low 12.0"),
        ("10,12,9,13,5", "must lie between low 9.0 and high 12.0"),
        ("10,12,9,11,-1", "volume must be zero or more"),
        ("10,12,9,11,nan", "volume"),
        ("ten,12,9,11,5", "open is not a number, was 'ten'"),
        ("10,12,9,11", "has 5 fields, the header has 6"),
        ("10,12,9,11,5,6", "has 7 fields, the header has 6"),
    ],
)
async def test_row_that_is_no_candle_is_rejected_with_its_line(tmp_path: Path, prices: str, reason: str) -> None:
    rows = [*hourly(3), a_row(3, prices), *hourly(3, first=4)]
    result = await read(a_csv(tmp_path, rows))
    assert (len(result.candles), result.rows_read) == (6, 7)
    (row,) = result.rejected
    assert row.line == 5
    assert reason in row.reason
    assert row.text == rows[3]


async def test_same_reasons_whether_rows_are_read_as_columns_or_one_by_one(tmp_path: Path) -> None:
    rows = [*hourly(3), a_row(3, "10,9,12,11,5"), a_row(1), a_row(4.5)]
    columns = await read(a_csv(tmp_path, rows))
    one_by_one = await read(a_csv(tmp_path, [*rows, "nonsense"]))
    assert columns.rejected == one_by_one.rejected[:3]
    assert len(columns.rejected) == 3


async def test_repeated_row_is_rejected_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.market_data.csv_source.BLOCK_BYTES", 200)
    rows = [*hourly(60), a_row(3), a_row(59, "20,22,19,21,5")]
    result = await read(a_csv(tmp_path, rows))
    assert len(result.candles) == 60
    assert result.candles[-1].close == 11
    assert set(result.reasons) == {62, 63}
    assert "is in the file already" in result.reasons[62]


@pytest.mark.parametrize(("step", "name"), [(1 / 60, "1m"), (1 / 12, "5m"), (4, "4h"), (24, "1d"), (0.5, "30-minute")])
async def test_file_of_another_timeframe(tmp_path: Path, step: float, name: str) -> None:
    message = await the_error(a_csv(tmp_path, [a_row(number * step) for number in range(30)]))
    assert f"holds {name} candles" in message
    assert "not 1h" in message


async def test_longer_candles_are_not_taken_for_sparse_short_ones(tmp_path: Path) -> None:
    assert "holds 1h candles" in await the_error(a_csv(tmp_path, hourly(30)), SeriesKey(BTC, Timeframe.M5))


async def test_candles_that_never_open_on_the_boundary(tmp_path: Path) -> None:
    message = await the_error(a_csv(tmp_path, [a_row(hour + 0.5) for hour in range(30)]))
    assert "opens on a 1h boundary" in message
    message = await the_error(a_csv(tmp_path, [f"2026-03-{day:02}T05:00:00Z,10,12,9,11,5" for day in range(2, 12)]), DAILY)
    assert "is the timezone right" in message


async def test_time_that_is_none(tmp_path: Path) -> None:
    assert "is no timestamp" in await the_error(a_csv(tmp_path, ["yesterday,10,12,9,11,5"]))


async def test_time_far_outside_any_market(tmp_path: Path) -> None:
    result = await read(a_csv(tmp_path, [*hourly(4), "2150-01-01T00:00:00Z,10,12,9,11,5"]))
    assert "outside 1970 to 2099" in result.reasons[6]


async def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes("timestamp,öpen\n".encode("latin-1"))
    assert "is not UTF-8" in await the_error(path)
    path.write_bytes(f"{HEADER}\n{a_row(0)}\n".encode("utf-16"))
    assert "not UTF-8" in await the_error(path)


async def test_row_that_is_not_utf_8_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    rows = "\n".join([HEADER, *hourly(3)]).encode() + b"\n2026-03-02T03:00:00Z,10,12,9,11,\xff\n"
    path.write_bytes(rows)
    result = await read(path)
    assert len(result.candles) == 3
    assert result.reasons[5] == "the row is not UTF-8 text"


@asvs("5.2.2")
async def test_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(bytes(range(256)) * 10_000)
    with pytest.raises(CandleFileUnreadable):
        await read(path)
    path.write_bytes(b"a" * 3_000_000)
    assert "a line of more than 1 MB" in await the_error(path)


@pytest.mark.parametrize("cut", [0.3, 0.9, 0.999])
async def test_truncated_gzip(tmp_path: Path, cut: float) -> None:
    packed = gzip.compress(a_csv(tmp_path, hourly(5000)).read_bytes())
    path = tmp_path / "candles.csv.gz"
    path.write_bytes(packed[: int(len(packed) * cut)])
    message = await the_error(path)
    assert "truncated" in message
    assert "nothing of it was stored" in message


async def test_damaged_gzip(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(a_csv(tmp_path, hourly(5000)).read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "candles.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(CandleFileUnreadable):
        await read(path)


def a_parquet(folder: Path, **columns: object) -> Path:
    path = folder / "candles.parquet"
    times = pa.array([MONDAY + hour * timedelta(hours=1) for hour in range(100)], pa.timestamp("ms", "UTC"))
    table: dict[str, object] = {"timestamp": times, "open": [10.0] * 100, "high": [12.0] * 100, "low": [9.0] * 100}
    pq.write_table(pa.table(table | {"close": [11.0] * 100, "volume": [5.0] * 100} | columns), path)
    return path


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
async def test_truncated_parquet(tmp_path: Path, cut: int) -> None:
    path = a_parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    message = await the_error(path)
    assert "no whole Parquet file" in message or "is empty" in message


async def test_damaged_parquet(tmp_path: Path) -> None:
    path = a_parquet(tmp_path)
    content = bytearray(path.read_bytes())
    for position in range(4, len(content) // 2):
        content[position] ^= 0xA5
    path.write_bytes(content)
    with pytest.raises(CandleFileUnreadable):
        await read(path)


async def test_parquet_without_rows_or_with_wrong_types(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.float64()) for name in HEADER.split(",")}), path)
    assert "no rows" in await the_error(path)
    assert "column close holds string, needed is numbers" in await the_error(a_parquet(tmp_path, close=["11"] * 100))


async def test_parquet_times_without_a_zone(tmp_path: Path) -> None:
    times = pa.array([(MONDAY + hour * timedelta(hours=1)).replace(tzinfo=None) for hour in range(100)], pa.timestamp("us"))
    path = a_parquet(tmp_path, timestamp=times)
    with pytest.raises(InvalidInput, match="time column has no timezone"):
        await read(path)
    assert (await read(path, zone="UTC")).times[0] == MONDAY


async def test_bad_rows_of_parquet_are_rejected_by_number(tmp_path: Path) -> None:
    closes: list[float | None] = [11.0] * 100
    closes[4], closes[9] = None, 99.0
    times = [MONDAY + hour * timedelta(hours=1) for hour in range(100)]
    times[20] = times[19]
    column = pa.array([*times[:50], None, *times[51:]], pa.timestamp("ms", "UTC"))
    result = await read(a_parquet(tmp_path, close=closes, timestamp=column))
    assert (len(result.candles), result.rows_read) == (96, 100)
    assert set(result.reasons) == {5, 10, 21, 51}
    assert result.reasons[51] == "time is missing"
