"""The command line as a user runs it: real processes, a real embedded PostgreSQL, one trained symbol."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.market_data.simulated import SimulatedMarket
from tradingcore.kernel.market import CandleSeries, SeriesKey, Timeframe, symbol_code

KEY = SeriesKey(symbol_code("EUR/USD"), Timeframe.H1)
CANDLES = 3_000
START = datetime(2024, 1, 2, tzinfo=UTC)
SECONDS = 120


def some_candles(count: int = CANDLES) -> CandleSeries:
    """The same simulated candles every time."""
    series = SimulatedMarket(seed=11).candles(KEY, START, START + timedelta(hours=2 * count))
    return series.slice(0, count)


def write_parquet(series: CandleSeries, file: Path) -> Path:
    times = pa.array(series.open_times.tolist(), type=pa.timestamp("ms", tz="UTC"))
    columns = {name: getattr(series, name).tolist() for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"timestamp": times, **columns}), file)
    return file


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        assert self.code in (0, 5), self.err
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One data folder, and `tradingcore` to run on it."""

    data_dir: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "entrypoints", "--data-dir", str(self.data_dir), *arguments]

    def run(self, *arguments: str, seconds: float = SECONDS) -> Answer:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def json(self, *arguments: str, seconds: float = SECONDS) -> Any:
        """Run a command with ``--json`` and return its document."""
        return self.run("--json", *arguments, seconds=seconds).document

    @asynccontextmanager
    async def process(self, *arguments: str) -> AsyncIterator[Running]:
        """Keep a command running inside the block; it has said its first document when the block begins."""
        process = await asyncio.create_subprocess_exec(
            *self.command("--json", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), SECONDS)
            assert line, f"{arguments} ended with {await process.wait()}"
            yield Running(process=process, document=json.loads(line))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: asyncio.subprocess.Process
    document: Any

    async def kill(self) -> None:
        """As a crash does it."""
        self.process.kill()
        await self.process.wait()
