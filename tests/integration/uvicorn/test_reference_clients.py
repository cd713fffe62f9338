"""The clients in ``docs/clients`` lose nothing, whatever happens to their connections."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.uvicorn.server import StreamServer, a_server
from tests.unit.entrypoints.http.stream.builders import a_log, eventually
from tradingcore.notifications.ports import StreamLog
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

CLIENTS = Path(__file__).parents[3] / "docs" / "clients"
ADDRESS = "http://127.0.0.1:{}"


def _load() -> Any:
    specification = importlib.util.spec_from_file_location("stream_client", CLIENTS / "stream_client.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


stream_client = _load()


async def trader() -> str:
    return "trader-1"


async def collect(frames: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        return [await anext(frames) for _ in range(count)]


async def subscribed(server: StreamServer) -> None:
    await eventually(lambda: server.hub.status().topics > 0)


async def cut(server: StreamServer) -> None:
    """Close every socket the hard way."""
    for connection in tuple(server._server.server_state.connections):
        connection.transport.abort()


async def publish(log: StreamLog, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await log.publish([a_message(number), a_message(number, topic=EURO)])


async def test_the_python_client_gets_every_event_once_over_lost_connections() -> None:
    log = a_log()
    async with a_server(log) as server:
        client = stream_client.StreamClient(ADDRESS.format(server.port), trader, [BITCOIN, EURO])
        frames = client.frames()
        first = asyncio.create_task(collect(frames, 1))
        await subscribed(server)
        await publish(log, 1, 50)
        seen = await first + await collect(frames, 99)
        for start in (51, 101, 151):
            await cut(server)
            await publish(log, start, start + 49)
            seen += await collect(frames, 100)
        for topic in (BITCOIN, EURO):
            assert [frame["offset"] for frame in seen if frame["topic"] == topic] == list(range(1, 201))
        assert client.positions[BITCOIN][1] == 200
        await frames.aclose()


async def test_the_python_client_hands_out_a_reset_and_goes_on() -> None:
    clock = FakeClock()
    log = a_log(clock)
    async with a_server(log) as server:
        (position, _) = await log.publish([a_message(1), a_message(2)])
        clock.advance(timedelta(hours=1))
        await log.trim()
        client = stream_client.StreamClient(ADDRESS.format(server.port), trader, [BITCOIN], {BITCOIN: (position.epoch, 1)})
        frames = client.frames()
        (reset,) = await collect(frames, 1)
        assert (reset["op"], reset["reason"]) == ("reset", "trimmed")
        await log.publish([a_message(3)])
        (event,) = await collect(frames, 1)
        assert event["offset"] == 3
        await frames.aclose()


async def test_the_python_client_waits_for_a_server_that_is_away_and_comes_back() -> None:
    log = a_log()
    async with a_server(log) as server:
        client = stream_client.StreamClient(ADDRESS.format(server.port), trader, [BITCOIN])
        frames = client.frames()
        first = asyncio.create_task(collect(frames, 1))
        await subscribed(server)
        await publish(log, 1, 1)
        seen = await first
        port = server.port
    await publish(log, 2, 3)
    following = asyncio.create_task(collect(frames, 2))
    await asyncio.sleep(0.2)
    async with a_server(log, port=port):
        seen += await following
        await frames.aclose()
    assert [frame["offset"] for frame in seen] == [1, 2, 3]


async def test_the_python_client_gives_up_when_it_is_refused() -> None:
    async def refused() -> str:
        raise stream_client.Refused("revoked")

    async with a_server(a_log()) as server:
        client = stream_client.StreamClient(ADDRESS.format(server.port), refused, [BITCOIN])
        with pytest.raises(stream_client.Refused):
            await collect(client.frames(), 1)


SCRIPT = """
import {{ StreamClient }} from {module};
const client = new StreamClient({{
  url: {url}, topics: {topics}, getTicket: async () => "trader-1",
  onEvent: (event) => console.log(JSON.stringify(event)),
  onReset: (reset) => console.log(JSON.stringify(reset)),
}});
client.start();
"""


WITH_WEBSOCKET = "--experimental-websocket"  # needed before Node 22


def _node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    has_socket = subprocess.run([node, WITH_WEBSOCKET, "-e", "new WebSocket"], capture_output=True, text=True, check=False).stderr
    return None if "not defined" in has_socket or "bad option" in has_socket else node


@pytest.mark.skipif(_node() is None, reason="needs Node 20.10 or newer on the PATH")
async def test_the_browser_client_gets_every_event_once_over_lost_connections(tmp_path: Path) -> None:
    log = a_log()
    async with a_server(log) as server:
        module = tmp_path / "stream-client.mjs"
        shutil.copy(CLIENTS / "stream-client.js", module)
        script = tmp_path / "main.mjs"
        values = {"module": str(module), "url": server.url, "topics": [BITCOIN, EURO]}
        script.write_text(SCRIPT.format(**{name: json.dumps(value) for name, value in values.items()}))
        node = await asyncio.create_subprocess_exec(str(_node()), WITH_WEBSOCKET, str(script), stdout=asyncio.subprocess.PIPE)
        assert node.stdout is not None
        try:
            await subscribed(server)
            await eventually(lambda: server.hub.status().topics == 2)
            offsets: dict[str, list[int]] = {BITCOIN: [], EURO: []}
            for start in (1, 51, 101):
                await publish(log, start, start + 49)
                async with asyncio.timeout(20):
                    for _ in range(100):
                        event = json.loads(await node.stdout.readline())
                        offsets[event["topic"]].append(event["offset"])
                await cut(server)
            assert offsets == {BITCOIN: list(range(1, 151)), EURO: list(range(1, 151))}
        finally:
            node.kill()
            await node.wait()
