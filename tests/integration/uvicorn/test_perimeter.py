"""What reaches the real server from outside: smuggling, bodies without a size, forged addresses, limits over sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from entrypoints.http import wire
from entrypoints.http.options import MEBIBYTE
from entrypoints.http.server import ApiServer
from entrypoints.http.stream.protocol import SUBPROTOCOL
from entrypoints.platform import ProcessKind, running
from entrypoints.settings import load
from tests.asvs import asvs
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKeyCommand
from tradingcore.kernel.authz import Actor, Plan, Role

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /api/v1/ml/predictions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"


class Served:
    def __init__(self, port: int, platform: Any) -> None:
        self.port = port
        self.platform = platform

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers)

    async def trader(self) -> httpx.AsyncClient:
        operator = Actor.operator(self.platform.container.ids().new_trace_id())
        command = CreateApiKeyCommand(name="bot", role=Role.TRADER, plan=Plan.PRO)
        made = await self.platform.container.create_api_key()(operator, command)
        return self.client(authorization=f"Bearer {made.token}")

    async def answers_to(self, *parts: bytes) -> list[bytes]:
        """The status lines that come back before the server closes or falls silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        received = b""
        try:
            for part in parts:
                writer.write(part)
            async with asyncio.timeout(0.4):
                while chunk := await reader.read(65536):
                    received += chunk
            received += b"\r\n(closed)"
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        lines = received.replace(b"}HTTP/1.1", b"}\r\nHTTP/1.1").split(b"\r\n")
        return [line for line in lines if line.startswith(b"HTTP/1.1 ") or line == b"(closed)"]


@asynccontextmanager
async def serving(folder: Path, **flags: Any) -> AsyncIterator[Served]:
    http = {"port": 0, **flags.pop("http", {})}
    settings = load(flags={"data_dir": folder, "storage": "memory", "http": http, **flags}).values
    async with running(settings, ProcessKind.API) as platform:
        server = ApiServer(platform)
        with server.listen() as listener:
            task = asyncio.create_task(server.serve(listener))
            yield Served(listener.getsockname()[1], platform)
            server.stop()
            await task


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, limits={"requests_per_minute": 0}) as server:
        yield server


AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5\r\n{}   \r\n0\r\n\r\n" + SMUGGLED,
    "chunks of HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "another coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "coding twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 37\r\n\r\n" + SMUGGLED,
    "length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "length in two words": POST + b"Content-Length: 0 37\r\n\r\n" + SMUGGLED,
    "length in other digits": POST + "Content-Length: \u0660\r\n\r\n".encode() + SMUGGLED,
    "length without end": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + SMUGGLED,
    "bare return": GET + b"X-A: b\rTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "no colon": GET + b"nonsense\r\n\r\n" + SMUGGLED,
    "space in a name": GET + b"X A: b\r\n\r\n" + SMUGGLED,
    "two hosts": GET + b"Host: b\r\n\r\n" + SMUGGLED,
    "null in the path": b"GET /health/live\x00 HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED,
    "another version": GET.replace(b"1.1", b"2.0") + b"\r\n" + SMUGGLED,
    "two types": POST + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}" + SMUGGLED,
}


@asvs("4.2.1")
async def test_what_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(served: Served) -> None:
    got = {name: await served.answers_to(sent) for name, sent in AMBIGUOUS.items()}
    assert {name: lines for name, lines in got.items() if lines != [b"HTTP/1.1 400 Bad Request", b"(closed)"]} == {}


@asvs("4.2.1")
async def test_a_chunk_that_is_wrong_in_the_middle_ends_the_connection_without_a_fault(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for chunk in (b"-2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"zz\r\n"):
        lines = await served.answers_to(head, chunk + SMUGGLED)
        assert lines[-1] == b"(closed)"
        assert len(lines) == 2
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_requests_in_a_row_on_one_connection_are_all_answered(served: Served) -> None:
    inner = SMUGGLED + b"x"
    body = GET + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    # What looks like a request inside of a body is a body.
    assert await served.answers_to(body, GET + b"Connection: close\r\n\r\n") == [b"HTTP/1.1 200 OK"] * 2 + [b"(closed)"]


WRONG_TYPES: dict[str, bytes] = {
    "text/plain": b"{}",
    "application/xml": b"<x/>",
    "application/x-www-form-urlencoded": b"symbol=BTC",
    "multipart/form-data; boundary=x": b"--x--",
    "application/json; charset=utf-16": "{}".encode("utf-16"),
    "application/jsonx": b"{}",
    "": b"{}",
}


@asvs("4.1.1", "2.2.1", "15.2.2")
async def test_bodies_of_another_type_or_without_an_end_are_refused(served: Served) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b" " * (MEBIBYTE // 2)

    large: list[Any] = [endless(), b" " * (MEBIBYTE + 1)]
    async with await served.trader() as client:
        for kind, content in WRONG_TYPES.items():
            answer = await client.post("/api/v1/ml/predictions", content=content, headers={"content-type": kind})
            assert answer.status_code in (400, 415), kind
            assert answer.headers["content-type"] == "application/problem+json"
        for content in large:
            answer = await client.post("/api/v1/ml/predictions", content=content, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


@asvs("15.2.2", "4.2.1")
async def test_a_body_in_crumbs_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_PARTS", 100)
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    crumbs = b"1\r\n \r\n"
    (_, end) = await served.answers_to(head, crumbs * 101)
    assert end == b"(closed)"
    # The pieces are those of one body: the next one begins anew.
    ends = b"0\r\n\r\n"
    answers = await served.answers_to(*(head + crumbs * 60 + ends for _ in range(3)))
    assert answers == [b"HTTP/1.1 401 Unauthorized"] * 3


@asvs("4.1.3", "15.3.4")
async def test_a_local_proxy_that_nobody_named_is_not_believed(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"requests_per_minute": 3}) as served, served.client() as client:
        answers = [
            await client.get("/api/v1/trading/symbols", headers={"x-forwarded-for": f"203.0.113.{number}"}) for number in range(4)
        ]
        forged = await client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert forged.status_code == 404


async def test_a_proxy_that_was_named_is_believed(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"requests_per_minute": 1}, http={"trusted_hops": 1}) as served, served.client() as client:
        answers = [
            await client.get("/api/v1/trading/symbols", headers={"x-forwarded-for": f"6.6.6.6, 203.0.113.{number}"})
            for number in (1, 1, 2)
        ]
    assert [answer.status_code for answer in answers] == [401, 429, 401]


@asvs("2.4.1")
async def test_sockets_and_what_is_sent_on_them_count(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"requests_per_minute": 6}) as served, await served.trader() as client:
        ticket = (await client.post("/api/v1/auth/stream-tickets")).json()["ticket"]
        address = f"ws://127.0.0.1:{served.port}/api/v1/stream"
        async with connect(address, subprotocols=[Subprotocol(SUBPROTOCOL)]) as socket:
            await socket.send(json.dumps({"op": "auth", "ticket": ticket}))
            assert json.loads(await socket.recv())["op"] == "ack"
            for number in range(5):
                await socket.send(json.dumps({"op": "unsubscribe", "id": str(number), "topics": ["signals:*"]}))
                assert json.loads(await socket.recv())["status"] == 404
            await socket.send(json.dumps({"op": "pong"}))
            await socket.send(json.dumps({"op": "unsubscribe", "id": "last", "topics": ["signals:*"]}))
            refused = json.loads(await socket.recv())
            assert (refused["op"], refused["id"], refused["status"], refused["code"]) == ("error", "last", 429, "too_many_requests")
            # The same user, the same limit.
            assert (await client.get("/api/v1/trading/symbols")).status_code == 429
        for _ in range(5):
            async with connect(address, subprotocols=[Subprotocol(SUBPROTOCOL)]):
                pass
        with pytest.raises(InvalidStatus) as closed:
            async with connect(address, subprotocols=[Subprotocol(SUBPROTOCOL)]):
                pass
    answer = closed.value.response
    assert answer.status_code == 429
    assert json.loads(answer.body or b"")["code"] == "too_many_requests"
    assert int(answer.headers["retry-after"]) > 0


async def test_a_stream_of_events_counts_for_its_user(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"requests_per_minute": 2}) as served, await served.trader() as client:
        for remaining in (1, 0):
            async with client.stream("GET", "/api/v1/events", params={"topics": "signals:*"}) as answer:
                assert answer.status_code == 200
                assert answer.headers["ratelimit"].startswith(f'"general";r={remaining};')
        assert (await client.get("/api/v1/events", params={"topics": "signals:*"})).status_code == 429
