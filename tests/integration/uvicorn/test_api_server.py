"""The API process as it is served: what the server below the application does with the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from entrypoints.http.server import ApiServer
from entrypoints.http.stream.protocol import SUBPROTOCOL
from entrypoints.http.wire import ProblemProtocol
from entrypoints.platform import ProcessKind, running
from entrypoints.settings import load

WHOLE_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "


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


async def answer_to(port: int, sent: bytes) -> tuple[str, dict[str, Any]]:
    """The head and the problem that come back before the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(10):
        head, _, body = (await reader.read(100_000)).partition(b"\r\n\r\n")
    writer.close()
    return head.decode().lower(), json.loads(body)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_bytes_that_are_no_request_get_a_guarded_problem(port: int, sent: bytes) -> None:
    head, problem = await answer_to(port, sent)
    assert head.startswith("http/1.1 400 ")
    assert "content-type: application/problem+json" in head
    assert "x-content-type-options: nosniff" in head
    assert f"x-request-id: {problem['instance']}" in head
    assert problem["code"] == "bad_request"


@pytest.mark.parametrize("size", [17_000, 70_000, 300_000])
async def test_a_head_that_is_too_large_is_refused(port: int, size: int) -> None:
    head, problem = await answer_to(port, b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * size + b"\r\nConnection: close\r\n\r\n")
    assert "content-type: application/problem+json" in head
    assert (problem["status"], problem["code"]) in [(431, "head_too_large"), (400, "bad_request")]


@pytest.mark.parametrize(
    ("path", "origin", "status", "code"),
    [("/api/v1/stream", "https://evil.example", 403, "origin_refused"), ("/nope", "https://evil.example", 404, "not_found")],
)
async def test_a_refused_handshake_is_a_guarded_problem(port: int, path: str, origin: str, status: int, code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{port}{path}", origin=Origin(origin), subprotocols=[Subprotocol(SUBPROTOCOL)]):
            pass
    answer = refused.value.response
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.body or b"")["code"] == code


async def test_what_is_in_the_address_of_a_socket_is_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="uvicorn")
    async with connect(f"ws://127.0.0.1:{port}/api/v1/stream?ticket=planted-1", subprotocols=[Subprotocol(SUBPROTOCOL)]):
        pass
    with pytest.raises(InvalidStatus):
        async with connect(f"ws://127.0.0.1:{port}/nope?ticket=planted-2"):
            pass
    assert "planted" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_streams_and_outbox_are_among_the_metrics(port: int) -> None:
    async def figures() -> dict[str, str]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            lines = (await client.get("/metrics")).text.splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    found = await figures()
    assert {"tradingcore_stream_connections", "tradingcore_stream_is_degraded", "tradingcore_stream_slow_clients"} <= found.keys()
    assert found["tradingcore_outbox_open"] == found["tradingcore_outbox_lag_seconds"] == "0.0"


@pytest.mark.parametrize(("before", "sent"), [(b"", b""), (b"", HALF_A_HEAD), (WHOLE_REQUEST, HALF_A_HEAD)])
async def test_a_head_that_never_ends_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch, before: bytes, sent: bytes) -> None:
    monkeypatch.setattr(ProblemProtocol, "head_seconds", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if before:
        writer.write(before)
        await reader.readuntil(b'"checks":{}}')
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_request_that_takes_longer_than_its_head_is_answered(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProblemProtocol, "head_seconds", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
    await asyncio.sleep(0.3)
    writer.write(b"}GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.read()).count(b'"checks":{}}') == 2
    writer.close()
