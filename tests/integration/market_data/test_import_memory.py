"""An import of 100 MB of CSV stays small, whatever the store does with the candles."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from adapters.market_data.sinks import CsvCandleSink
from tradingcore.kernel.market import CandleSeries, SeriesKey, SymbolCode, Timeframe, to_milliseconds

ROWS = 1_700_000
LIMIT_MB = 200

CHILD = """
import asyncio, resource, sys
from pathlib import Path
from adapters.market_data.files import open_candle_source
from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingUnits
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.ports import CandleStore, MergeCounts
from tradingcore.trading.use_cases.import_candles import ImportCandles, ImportCandlesCommand

class Counting(CandleStore):
    async def merge(self, key, chunks, *, replace):
        count = 0
        async for chunk in chunks:
            count += len(chunk)
        return MergeCounts(inserted=count, unchanged=0, changed=0, differing=0, first_differing=())
    async def window(self, *a, **k): raise NotImplementedError
    async def between(self, *a, **k): raise NotImplementedError
    async def extent(self, *a, **k): raise NotImplementedError
    async def list_extents(self): raise NotImplementedError

use_case = ImportCandles(uow=MemoryTradingUnits(MemoryDatabase(FakeClock()), SequentialIds()), candles=Counting())
key = SeriesKey(SymbolCode("BTC/USDT"), Timeframe.M1)
command = ImportCandlesCommand(key=key, source=open_candle_source(Path(sys.argv[1])))
report = asyncio.run(use_case(an_actor(), command))
heavy = sorted({"pandas", "numba", "xgboost", "sklearn", "scipy"} & set(sys.modules))
# Not getrusage: its peak holds what the parent had when it forked.
(line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(report.counts.inserted, report.rejected, int(line.split()[1]) // 1024, *heavy)
"""


async def a_large_file(path: Path) -> None:
    key = SeriesKey(SymbolCode("BTC/USDT"), Timeframe.M1)
    close = np.round(40_000 + np.cumsum(np.random.default_rng(1).normal(size=ROWS)), 2)
    volume = np.round(np.random.default_rng(2).lognormal(3, 1, ROWS), 5)
    times = to_milliseconds(datetime(2022, 1, 3, tzinfo=UTC)) + np.arange(ROWS, dtype=np.int64) * 60_000
    columns = [column.data for column in (times, close - 1.25, close + 2.5, close - 2.5, close, volume)]
    series = CandleSeries.from_columns(key, *columns)

    async def chunks() -> AsyncIterator[CandleSeries]:
        for start in range(0, ROWS, 100_000):
            yield series.slice(start, start + 100_000)

    await CsvCandleSink(path).write(key, chunks())


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
async def test_hundred_megabytes_are_imported_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    await a_large_file(path)
    size = await asyncio.to_thread(lambda: path.stat().st_size)
    assert size > 100_000_000
    command = [sys.executable, "-c", CHILD, str(path)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    inserted, rejected, peak_mb, *heavy = done.stdout.split()
    assert (int(inserted), int(rejected), heavy) == (ROWS, 0, [])
    assert int(peak_mb) < LIMIT_MB
