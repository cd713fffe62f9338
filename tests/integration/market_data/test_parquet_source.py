from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.asvs import asvs
from tests.integration.market_data.files import DAILY, Read, read
from tradingcore.kernel.market import Candle, SeriesKey
from tradingcore.testing.builders import BTC_1H, MONDAY

HOURS = [MONDAY + hour * timedelta(hours=1) for hour in range(10)]
SECONDS = [int(at.timestamp()) for at in HOURS]


def a_table(times: Any, **columns: Any) -> pa.Table:
    numbers = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}
    return pa.table({"timestamp": times} | {name: [value] * len(times) for name, value in numbers.items()} | columns)


async def read_table(folder: Path, table: pa.Table, key: SeriesKey = BTC_1H, **options: Any) -> Read:
    path = folder / "candles.parquet"
    pq.write_table(table, path)
    return await read(path, key, **options)


@pytest.mark.parametrize(
    "times",
    [
        pa.array(HOURS, pa.timestamp("s", "UTC")),
        pa.array(HOURS, pa.timestamp("ms", "UTC")),
        pa.array(HOURS, pa.timestamp("us", "Europe/Berlin")),
        pa.array(HOURS, pa.timestamp("ns", "UTC")),
        pa.array(SECONDS, pa.int64()),
        pa.array(SECONDS, pa.uint32()),
        pa.array([second * 1000 for second in SECONDS], pa.int64()),
        pa.array([second * 1_000_000_000 for second in SECONDS], pa.int64()),
        pa.array([float(second) for second in SECONDS], pa.float64()),
        pa.array([f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in HOURS], pa.string()),
        pa.array([f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in HOURS], pa.large_string()),
    ],
    ids=lambda column: str(column.type),
)
async def test_time_may_have_any_usual_type(tmp_path: Path, times: pa.Array) -> None:
    result = await read_table(tmp_path, a_table(times))
    assert result.times == HOURS
    assert result.candles[0] == Candle(MONDAY, 10, 12, 9, 11, 5)


async def test_dates_are_daily_candles(tmp_path: Path) -> None:
    days = pa.array([date(2026, 3, day) for day in range(2, 7)], pa.date32())
    assert (await read_table(tmp_path, a_table(days), DAILY)).times == [MONDAY + timedelta(days=day) for day in range(5)]


async def test_numbers_may_have_any_numeric_type(tmp_path: Path) -> None:
    narrow = a_table(pa.array(HOURS, pa.timestamp("ms", "UTC")), open=pa.array([10.0] * 10, pa.float32()))
    decimals = a_table(pa.array(HOURS, pa.timestamp("ms", "UTC")), close=pa.array([11] * 10, pa.decimal128(10, 2)))
    integers = a_table(pa.array(HOURS, pa.timestamp("ms", "UTC")), volume=pa.array([5] * 10, pa.int32()))
    for table in (narrow, decimals, integers):
        assert (await read_table(tmp_path, table)).candles[3] == Candle(HOURS[3], 10, 12, 9, 11, 5)


@asvs("5.2.2")
async def test_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "candles.dat"
    pq.write_table(a_table(pa.array(HOURS, pa.timestamp("ms", "UTC"))), path)
    assert (await read(path)).times == HOURS


async def test_small_batches_give_the_same_and_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "candles.parquet"
    pq.write_table(a_table(pa.array(HOURS[::-1], pa.timestamp("ms", "UTC"))), path, row_group_size=4)
    whole = await read(path)
    monkeypatch.setattr("adapters.market_data.parquet_source.BATCH_ROWS", 3)
    pieces = await read(path)
    assert sorted(pieces.times) == whole.times
    assert (pieces.rows_read, pieces.bytes_read) == (10, path.stat().st_size)
