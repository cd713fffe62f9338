from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.market_data.files import open_candle_sink
from adapters.market_data.sinks import CsvRejectSink
from tests.asvs import asvs
from tests.integration.market_data.files import read
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import CandleSeries
from tradingcore.testing.builders import BTC_1H, a_series
from tradingcore.trading.errors import CandleFileNotWritable
from tradingcore.trading.ports import RejectedRow

FORMATS = ["candles.csv", "candles.csv.gz", "candles.parquet"]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def chunks(*parts: CandleSeries, error: Exception | None = None) -> AsyncIterator[CandleSeries]:
    for part in parts:
        yield part
    if error is not None:
        raise error


@pytest.mark.parametrize("name", FORMATS)
async def test_what_is_written_reads_back_exactly(tmp_path: Path, name: str) -> None:
    series = a_series(500, close=1 / 3 + 100)
    path = tmp_path / name
    assert await open_candle_sink(path).write(BTC_1H, chunks(series.slice(0, 123), series.slice(123, 500))) == 500
    assert (await read(path)).candles == list(series)
    assert files_in(tmp_path) == [name]


@asvs("1.2.10")
async def test_csv_is_plain_to_read(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    await open_candle_sink(path).write(BTC_1H, chunks(a_series(1)))
    assert path.read_text() == "timestamp,open,high,low,close,volume\n2026-03-02T00:00:00Z,99.5,101,98.5,100,12.25\n"


@pytest.mark.parametrize("name", FORMATS)
async def test_export_that_breaks_leaves_the_old_file_as_it_was(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="store went away"):
        await open_candle_sink(path).write(BTC_1H, chunks(a_series(100), error=RuntimeError("store went away")))
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == [name]


async def test_folder_that_is_not_there_and_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(CandleFileNotWritable, match=r"cannot write candles.csv, there is no such folder"):
        await open_candle_sink(tmp_path / "nowhere" / "candles.csv").write(BTC_1H, chunks(a_series(1)))
    (tmp_path / "candles.csv").mkdir()
    with pytest.raises(CandleFileNotWritable, match="this is a folder"):
        await open_candle_sink(tmp_path / "candles.csv").write(BTC_1H, chunks(a_series(1)))


def test_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"end it with .parquet, .csv or .csv.gz"):
        open_candle_sink(Path("candles.xlsx"))


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    # A limit on the size of files stands for the disk.
    code = f"""
import asyncio, random, resource
from pathlib import Path
from array import array
from adapters.market_data.files import open_candle_sink
from tradingcore.kernel.market import CandleSeries
from tradingcore.testing.builders import BTC_1H, a_series
from tradingcore.trading.errors import CandleFileNotWritable
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = array("d", (random.Random(1).random() for _ in range(20_000)))
series = a_series(20_000)
series = CandleSeries(series.key, series.open_times, series.open, series.high, series.low, series.close, memoryview(noise))
async def chunks():
    yield series.slice(0, 10_000)
    yield series.slice(10_000, 20_000)
for name in {FORMATS!r}:
    try:
        asyncio.run(open_candle_sink(Path({str(tmp_path)!r}) / name).write(BTC_1H, chunks()))
    except CandleFileNotWritable as error:
        print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    refusals = done.stdout.splitlines()
    assert [f"cannot write {name}," in refusal for name, refusal in zip(FORMATS, refusals, strict=True)] == [True] * 3
    assert all("nothing was written" in refusal for refusal in refusals)
    assert list(tmp_path.iterdir()) == []


async def test_rejected_rows_are_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    sink = CsvRejectSink(path)
    assert not path.exists()
    await sink.reject([RejectedRow(line=3, reason="high 1 is below low 2", text='a,"b",c')])
    await sink.reject([RejectedRow(line=9, reason="no", text="x")])
    assert path.read_text().splitlines() == ["line,reason,row", '3,high 1 is below low 2,"a,""b"",c"', "9,no,x"]


@asvs("1.2.10")
@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", '=1,"a"'])
async def test_rejected_row_is_no_formula_of_a_spreadsheet(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rejects.csv"
    await CsvRejectSink(path).reject([RejectedRow(line=1, reason="no", text=text)])
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1] == ["1", "no", f"'{text}"]


async def test_rejects_of_an_earlier_import_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    for number in (1, 2):
        await CsvRejectSink(path).reject([RejectedRow(line=number, reason="no", text="x")])
    assert path.read_text().splitlines()[1:] == ["2,no,x"]
