"""P9: an authenticated ``GET /trading/signals`` of 50 rows, against a bare handler that runs the same statement.

``python -m benchmarks.signals_page [SECONDS]``. Both are processes of their own on one PostgreSQL; this process asks, over eight
connections that stay open, each in turn for ``SECONDS``. *Ours* is the API as it is served, with an API key of a trader, the log
line of every request included and the general limit off; *theirs* is `benchmarks._bare_signals`. Both answers are compared first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.postgres.roles import DatabaseRole
from benchmarks._measure import report
from entrypoints.demo.preparation import global_options
from entrypoints.platform import ProcessKind, migrator_of, running
from entrypoints.settings import Settings, child_environment, load
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKeyCommand
from tradingcore.kernel.authz import Actor, Role
from tradingcore.testing.builders import MONDAY, a_signal

ROWS: Final = 50
STORED: Final = 500
RUNS: Final = 7
SECONDS: Final = 3.0
CONNECTIONS: Final = 8
PATH: Final = f"/api/v1/trading/signals?limit={ROWS}"


@asynccontextmanager
async def process(*arguments: str, given: str = "") -> AsyncIterator[str]:
    """Run a program until the block ends and yield the first line that it prints."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=child_environment() | {"TRADINGCORE__LIMITS__REQUESTS_PER_MINUTE": "0"},
    )
    assert started.stdin is not None
    assert started.stdout is not None
    try:
        started.stdin.write(given.encode() + b"\n")
        yield (await started.stdout.readline()).decode()
    finally:
        started.terminate()
        await started.wait()


class Client:
    """As little of an HTTP client as will do, so that what is measured is the server."""

    def __init__(self, port: int, path: str, token: str = "") -> None:
        credential = f"authorization: Bearer {token}\r\n" if token else ""
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{credential}\r\n".encode()

    async def body(self) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head, body = await self._ask(reader, writer)
        writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{head.decode()}{body.decode()}")
        return json.loads(body)

    async def requests_per_second(self, seconds: float) -> float:
        begun, counts = perf_counter(), [0] * CONNECTIONS

        async def ask(number: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            while perf_counter() - begun < seconds:
                await self._ask(reader, writer)
                counts[number] += 1
            writer.close()

        await asyncio.gather(*(ask(number) for number in range(CONNECTIONS)))
        return sum(counts) / (perf_counter() - begun)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, bytes]:
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return head, await reader.readexactly(int(size))


async def prepare(settings: Settings) -> str:
    """Store signals and return an API key."""
    async with running(settings, ProcessKind.OPERATOR) as platform:
        actor = Actor.operator(platform.container.ids().new_trace_id())
        async with platform.container.trading_uow()(actor) as unit:
            await unit.signals.save_all([a_signal(decision_candle=MONDAY + timedelta(hours=number)) for number in range(STORED)])
        created = await platform.container.create_api_key()(actor, CreateApiKeyCommand(name="benchmark", role=Role.TRADER))
        token: str = created.token
        return token


async def measure(settings: Settings, seconds: float) -> None:
    async with migrator_of(settings) as migrator:
        await migrator.up()
        token = await prepare(settings)
        serve = ["entrypoints", *global_options(settings), "--json", "serve", "--port", "0"]
        async with process(*serve) as said:
            ours = Client(urlsplit(json.loads(said)["address"]).port or 0, PATH, token)
            answer = await ours.body()
            database = migrator.address(DatabaseRole.API).connect_arguments()
            given = json.dumps({"database": database, "page": answer["page"], "rows": ROWS})
            async with process("benchmarks._bare_signals", given=given) as port:
                theirs = Client(int(port), "/")
                if await theirs.body() != answer:
                    raise SystemExit("the two do not answer the same")
                await ours.requests_per_second(1.0)
                await theirs.requests_per_second(1.0)
                runs = [(await ours.requests_per_second(seconds), await theirs.requests_per_second(seconds)) for _ in range(RUNS)]
    report(
        "P9 signals page", runs, n=RUNS, packages=["litestar", "uvicorn", "asyncpg", "sqlalchemy"], unit="requests/s", must_be=0.6
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(load(flags={"data_dir": Path(folder)}).values, seconds))


if __name__ == "__main__":
    main()
