"""P8: import of 1,000,000 one-minute candles, from Parquet and from CSV, against a bare asyncpg COPY of the same rows.

``python -m benchmarks.import_candles [ROWS]``. A PostgreSQL of its own, durable as in production, in a temporary folder. The bare
COPY gets its rows as tuples that are ready in memory and writes them to the same table in one transaction; it reads no file. Ours
is the whole use case: parse, check, look for gaps and suspicious rows, store, report. Each file goes into an empty range first and
then into the rows that are there. The peak memory is that of a process that does nothing but one import.
"""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.market_data.files import open_candle_sink, open_candle_source
from adapters.market_data.simulated import SimulatedCandleSource, SimulatedMarket
from adapters.postgres.address import DatabaseAddress
from adapters.postgres.candles import NUMBERS, PostgresCandleStore
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import DatabaseRole, RolePasswords
from adapters.postgres.trading import PostgresTradingUnits
from adapters.system.identifiers import Uuid7Generator
from benchmarks._measure import Runs, report
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.trading.events import EVENTS
from tradingcore.trading.use_cases.import_candles import ImportCandles, ImportCandlesCommand

ROWS: Final = 1_000_000
RUNS: Final = 5
KEY: Final = SeriesKey(SymbolCode("BTC/USDT"), Timeframe.M1)
START: Final = datetime(2022, 1, 3, tzinfo=UTC)
FORMATS: Final = {"Parquet": ("candles.parquet", "1.5"), "CSV": ("candles.csv", "3")}
MEMORY_FLAG: Final = "--peak-memory"


@dataclass(frozen=True)
class Database:
    administrator: DatabaseAddress
    worker: DatabaseAddress

    def engine(self) -> AsyncEngine:
        return create_engine(self.worker, EngineSettings(application="benchmark", pool_size=2))

    async def empty(self) -> None:
        connection = await asyncpg.connect(**self.administrator.connect_arguments())
        await connection.execute("truncate trading.candles")
        await connection.execute("checkpoint")
        await connection.close()

    async def copy(self, rows: list[tuple[Any, ...]]) -> float:
        connection = await asyncpg.connect(**self.administrator.connect_arguments())
        symbol_id = await connection.fetchval("select id from trading.symbols where code = $1", KEY.symbol)
        records = [(symbol_id, KEY.timeframe.value, *row) for row in rows]
        begun = perf_counter()
        async with connection.transaction():
            await connection.copy_records_to_table(
                "candles", schema_name="trading", columns=("symbol_id", "timeframe", *NUMBERS), records=records
            )
        seconds = perf_counter() - begun
        await connection.close()
        return seconds


async def import_file(engine: AsyncEngine, path: Path, *, rows: int, is_new: bool) -> float:
    """Seconds of one import; fails when it did not do what it should."""
    units = PostgresTradingUnits(engine, EventCodec(EVENTS), Uuid7Generator())
    use_case = ImportCandles(uow=units, candles=PostgresCandleStore(engine))
    begun = perf_counter()
    done = await use_case(Actor.operator(TraceId("0" * 32)), ImportCandlesCommand(key=KEY, source=open_candle_source(path)))
    seconds = perf_counter() - begun
    if (done.counts.inserted if is_new else done.counts.unchanged) != rows or not done.is_clean:
        raise RuntimeError(f"the import did something else: {done.counts}")
    return seconds


async def write_files(folder: Path, rows: int) -> list[tuple[Any, ...]]:
    source = SimulatedCandleSource(SimulatedMarket(seed=1), START, START + timedelta(minutes=rows))
    for name, _ in FORMATS.values():
        await open_candle_sink(folder / name).write(KEY, (chunk.candles async for chunk in source.chunks(KEY)))
    return [
        (candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume)
        async for chunk in source.chunks(KEY)
        for candle in chunk.candles
    ]


async def measure(database: Database, folder: Path, rows: list[tuple[Any, ...]]) -> dict[str, Runs]:
    engine, measured = database.engine(), dict[str, Runs]()
    # The first import makes the symbol, and warms up.
    await import_file(engine, folder / "candles.parquet", rows=len(rows), is_new=True)
    for _ in range(RUNS):
        await database.empty()
        bare = await database.copy(rows)
        for format_name, (name, _) in FORMATS.items():
            await database.empty()
            for kind, is_new in (("into an empty range", True), ("into its own rows", False)):
                seconds = await import_file(engine, folder / name, rows=len(rows), is_new=is_new)
                measured.setdefault(f"{format_name} {kind}", []).append((seconds, bare))
    await engine.dispose()
    return measured


def peak_memory(database: Database, path: Path, rows: int) -> float:
    """Peak resident megabytes of a process that imports one file."""
    given = json.dumps({"worker": database.worker.connect_arguments(), "path": str(path), "rows": rows})
    command = [sys.executable, "-m", "benchmarks.import_candles", MEMORY_FLAG]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_peak_memory() -> None:
    given = json.load(sys.stdin)
    given["worker"].pop("ssl")
    database = Database(DatabaseAddress(**given["worker"]), DatabaseAddress(**given["worker"]))
    asyncio.run(import_file(database.engine(), Path(given["path"]), rows=given["rows"], is_new=True))
    heavy = {"pandas", "numba", "xgboost", "sklearn"} & set(sys.modules)
    if heavy:
        raise RuntimeError(f"an import must not load {', '.join(sorted(heavy))}")
    sys.stdout.write(f"{peak_resident_megabytes():.1f}")


def peak_resident_megabytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its peak holds what the parent had when it forked.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def main(rows: int = ROWS) -> None:
    # Not under a folder of this user's: PostgreSQL may run as another one.
    home = Path(tempfile.mkdtemp(prefix="tradingcore-benchmark-"))
    cluster = EmbeddedCluster(ClusterSettings(home=home / "server"))
    hold = cluster.acquire()
    try:
        passwords = RolePasswords(home / "roles.json")
        with asyncio.Runner() as runner:
            run(runner, Migrator(hold.administrator, passwords).up())
            worker = hold.administrator.as_user(DatabaseRole.WORKER, passwords.of(DatabaseRole.WORKER))
            database = Database(hold.administrator, worker)
            records = run(runner, write_files(home, rows))
            measured = run(runner, measure(database, home, records))
            for format_name, (name, limit) in FORMATS.items():
                run(runner, database.empty())
                memory = peak_memory(database, home / name, rows)
                for kind, must_be in (("into an empty range", f"at most {limit}"), ("into its own rows", "at most 4")):
                    title = f"{format_name} {kind}"
                    report(
                        f"P8 import of {title} against a bare COPY",
                        measured[title],
                        n=rows,
                        packages=("pyarrow", "numpy", "asyncpg"),
                        must_be=must_be,
                        unit="s",
                        **({"peak_memory_mb": memory, "memory_must_be": "under 200"} if kind.endswith("range") else {}),
                    )
    finally:
        cluster.release(hold)
        shutil.rmtree(home, ignore_errors=True)


def run(runner: asyncio.Runner, work: Coroutine[Any, Any, Any]) -> Any:
    return runner.run(work)


if __name__ == "__main__":
    if MEMORY_FLAG in sys.argv:
        print_peak_memory()
    else:
        main(*(int(count.replace("_", "")) for count in sys.argv[1:2]))
