from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.integration.uvicorn.server import StreamServer, a_server
from tests.unit.entrypoints.http.stream.builders import a_log, checked, eventually
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

CANDLES = "candles:BTC/USDT:1h"


@dataclass
class EventSource:
    """Reads an event stream as a browser does, and validates each frame against the AsyncAPI document."""

    lines: AsyncIterator[str]
    retry: int | None = None
    pings: int = 0
    last_id: str = ""

    async def next(self) -> dict[str, Any]:
        name, data = "", ""
        async with asyncio.timeout(10):
            async for line in self.lines:
                field, _, value = line.partition(": ")
                match field:
                    case "retry":
                        self.retry = int(value)
                    case "id":
                        self.last_id = value
                    case "event":
                        name = value
                    case "data":
                        data = value
                    case "" if value == "ping":
                        self.pings += 1
                    case "" if data:
                        frame = checked(data, operation="sendEvents")
                        assert frame["op"] == name
                        return frame
        raise EOFError

    async def offsets(self, count: int) -> list[int]:
        return [(await self.next())["offset"] for _ in range(count)]


@asynccontextmanager
async def events(
    server: StreamServer, *topics: str, key: str | None = "trader-1", last_id: str | None = None, **query: str
) -> AsyncIterator[EventSource]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if last_id:
        headers["last-event-id"] = last_id
    url = f"http://127.0.0.1:{server.port}/api/v1/events"
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", url, params={"topics": ",".join(topics), **query}, headers=headers) as response,
    ):
        if response.status_code != 200:
            await response.aread()
        response.raise_for_status()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventSource(response.aiter_lines())


async def refusal(server: StreamServer, *topics: str, **options: Any) -> tuple[int, str]:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        async with events(server, *topics, **options):
            pass
    return refused.value.response.status_code, refused.value.response.json()["code"]


async def test_events_arrive_and_a_client_resumes_all_its_topics() -> None:
    log = a_log()
    async with a_server(log) as server:
        async with events(server, BITCOIN, EURO) as source:
            acks = [await source.next(), await source.next()]
            assert [ack["topic"] for ack in acks] == [BITCOIN, EURO]
            assert source.retry == 3000
            await log.publish([a_message(1), a_message(1, topic=EURO), a_message(2)])
            assert await source.offsets(3) == [1, 1, 2]
            assert source.last_id == f"{acks[0]['epoch']}:2,1"
        await log.publish([a_message(3), a_message(4), a_message(5, topic=EURO)])
        async with events(server, BITCOIN, EURO, last_id=source.last_id) as source:
            seen = [await source.next() for _ in range(5)]
            assert all(ack["recovered"] for ack in seen if ack["op"] == "ack")
            assert sorted((event["topic"], event["offset"]) for event in seen if event["op"] == "event") == [
                (BITCOIN, 3),
                (BITCOIN, 4),
                (EURO, 2),
            ]


async def test_history_that_is_gone_is_said() -> None:
    clock = FakeClock()
    log = a_log(clock)
    async with a_server(log) as server:
        (position, _) = await log.publish([a_message(1), a_message(2)])
        clock.advance(timedelta(hours=1))
        await log.trim()
        async with events(server, BITCOIN, key=None, ticket="trader-3", last_event_id=f"{position.epoch}:1") as source:
            assert (await source.next())["recovered"] is False
            reset = await source.next()
            assert (reset["op"], reset["reason"]) == ("reset", "trimmed")
            assert source.last_id == f"{position.epoch}:2"


async def test_heartbeats_are_comments() -> None:
    async with a_server(a_log(), ping_seconds=0.02) as server, events(server, BITCOIN) as source:
        await source.next()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await source.next()
        assert source.pings > 3


async def test_what_cannot_be_had_is_refused_before_the_stream_begins() -> None:
    async with a_server(a_log(), sockets_per_user=1, subscriptions=2) as server:
        assert await refusal(server, BITCOIN, key=None) == (401, "unauthenticated")
        assert await refusal(server, BITCOIN, key="nobody") == (401, "auth.credential_refused")
        assert await refusal(server, BITCOIN, key=None, ticket="nobody") == (401, "auth.credential_refused")
        assert await refusal(server, BITCOIN, key="student-1") == (403, "permission_denied")
        assert await refusal(server, "nonsense") == (400, "notifications.unknown_topic")
        assert await refusal(server, BITCOIN, BITCOIN) == (400, "invalid_input")
        assert await refusal(server, BITCOIN, EURO, CANDLES) == (400, "invalid_input")
        assert await refusal(server, BITCOIN, last_id="garbage") == (400, "invalid_input")
        async with events(server, BITCOIN) as source:
            await source.next()
            assert await refusal(server, BITCOIN) == (429, "too_many_attempts")


async def test_a_revoked_credential_ends_the_stream() -> None:
    async with a_server(a_log(), recheck_seconds=0.02) as server, events(server, BITCOIN) as source:
        await source.next()
        server.tickets.revoke(1)
        assert (await source.next())["code"] == 4401
        with pytest.raises(EOFError):
            await source.next()


async def test_a_server_that_stops_ends_the_streams() -> None:
    async with a_server(a_log()) as server, events(server, BITCOIN) as source:
        await source.next()
        stopping = asyncio.create_task(server.stop())
        close = await source.next()
        assert (close["op"], close["code"]) == ("close", 1012)
        async with asyncio.timeout(5):
            await stopping


async def test_a_client_that_leaves_is_forgotten() -> None:
    log = a_log()
    async with a_server(log) as server:
        async with events(server, BITCOIN) as source:
            await source.next()
            assert server.hub.status().connections == 1
        await eventually(lambda: server.hub.status().connections == 0)


async def test_a_client_that_reads_nothing_is_given_up() -> None:
    log = a_log()
    async with a_server(log, send_seconds=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(f"GET /api/v1/events?topics={BITCOIN}&ticket=trader-1 HTTP/1.1\r\nhost: here\r\n\r\n".encode())
        await eventually(lambda: server.hub.status().topics == 1)
        for number in range(600):
            await log.publish([a_message(number, data={"text": "x" * 20_000})])
            await asyncio.sleep(0)
        await eventually(lambda: server.hub.status().connections == 0)
        writer.transport.abort()
        assert not reader.at_eof()
