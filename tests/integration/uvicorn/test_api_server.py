"""The API process as it is served: what the server below the application does with the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrypoints.http.server import ApiServer
from entrypoints.platform import ProcessKind, running
from entrypoints.settings import load


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """A server over memory storage on a free port."""
    settings = load(flags={"data_dir": tmp_path, "storage": "memory", "http": {"port": 0}}).values
    async with running(settings, ProcessKind.API) as platform:
        server = ApiServer(platform)
        with server.listen() as listener:
            serving = asyncio.create_task(server.serve(listener))
            yield listener.getsockname()[1]
            server.stop()
            await serving


async def test_small_answers_do_not_wait_for_the_acknowledgement_of_the_last(port: int) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(20):
        started = loop.time()
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b'"checks":{}}')
        took.append(loop.time() - started)
    writer.close()
    assert sorted(took)[5] < 0.035, "Nagle's algorithm holds answers back for 40 ms"
