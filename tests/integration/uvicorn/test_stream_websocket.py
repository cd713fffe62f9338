from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.asvs import asvs
from tests.integration.uvicorn.server import Client, a_server
from tests.unit.entrypoints.http.stream.builders import a_log, eventually
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.notifications import BITCOIN, a_message


async def receive_forever(client: Client, seen: list[int]) -> None:
    while True:
        seen += await client.offsets(1)


async def close_of(client: Client) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        await receive_forever(client, [])
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_client_resumes_over_a_reconnect() -> None:
    log = a_log()
    async with a_server(log) as server:
        async with server.client() as client:
            epoch = (await client.subscribe(BITCOIN))["epoch"]
            await log.publish([a_message(number) for number in range(1, 6)])
            assert await client.offsets(5) == [1, 2, 3, 4, 5]
        await log.publish([a_message(number) for number in range(6, 400)])
        async with server.client() as client:
            assert (await client.subscribe(BITCOIN, since=(epoch, 5)))["recovered"] is True
            assert await client.offsets(394) == list(range(6, 400))
            await log.publish([a_message(500)])
            assert await client.offsets(1) == [400]


async def test_a_client_that_was_away_for_too_long_is_reset() -> None:
    clock = FakeClock()
    log = a_log(clock)
    async with a_server(log) as server, server.client() as client:
        positions = await log.publish([a_message(1), a_message(2)])
        clock.advance(timedelta(hours=1))
        await log.trim()
        ack = await client.subscribe(BITCOIN, since=(positions[0].epoch, 1))
        assert (ack["recovered"], ack["offset"]) == (False, 2)
        assert (await client.receive())["reason"] == "trimmed"


async def test_a_client_that_reads_nothing_is_closed_and_loses_nothing_when_it_resumes() -> None:
    log = a_log()
    async with a_server(log, send_seconds=0.5, queue_bytes=10_000_000, queue_messages=100_000) as server:
        async with server.client() as stalled, server.client("trader-2") as healthy:
            epoch = (await stalled.subscribe(BITCOIN))["epoch"]
            await healthy.subscribe(BITCOIN)
            stalled.socket.transport.pause_reading()
            for number in range(1, 401):
                await log.publish([a_message(number, data={"text": "x" * 20_000})])
                assert await healthy.offsets(1) == [number]
            await eventually(lambda: server.hub.status().connections == 1)
            assert server.hub.status().waiting_bytes < 100_000
            stalled.socket.transport.resume_reading()
            seen: list[int] = []
            with pytest.raises(ConnectionClosed):
                await receive_forever(stalled, seen)
        assert seen == list(range(1, len(seen) + 1))
        async with server.client() as client:
            await client.subscribe(BITCOIN, since=(epoch, len(seen)))
            assert await client.offsets(400 - len(seen)) == list(range(len(seen) + 1, 401))


async def test_a_burst_beyond_the_queue_closes_with_4410() -> None:
    log = a_log()
    async with a_server(log, queue_messages=8) as server, server.client() as client:
        await client.subscribe(BITCOIN)
        client.socket.transport.pause_reading()
        for start in range(0, 400, 100):
            await log.publish([a_message(start + number, data={"text": "x" * 20_000}) for number in range(100)])
            await asyncio.sleep(0.02)
        client.socket.transport.resume_reading()
        assert (await close_of(client))[0] == 4410


@pytest.mark.parametrize("frame", ["garbage", b"\x00\x01", "x" * 40_000, '{"op": "subscribe", "id": 1}', b"\xff" * 40_000])
async def test_a_bad_frame_is_closed(frame: str | bytes) -> None:
    async with a_server(a_log()) as server, server.client() as client:
        await client.socket.send(frame)
        assert (await close_of(client))[0] == 4400


async def test_silence_before_authentication_is_closed() -> None:
    async with a_server(a_log(), authentication_seconds=0.05) as server, server.client(ticket="") as client:
        assert (await close_of(client))[0] == 4408


async def test_a_flood_of_frames_is_closed() -> None:
    async with a_server(a_log()) as server, server.client() as client:
        for _ in range(20):
            await client.send({"op": "pong"})
        assert (await close_of(client))[0] == 4429


@asvs("4.4.2")
async def test_a_foreign_origin_is_refused_before_the_handshake() -> None:
    async with a_server(a_log()) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with server.client(ticket="", origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403
        async with server.client(origin="https://app.example"):
            pass


async def test_a_student_may_open_a_stream_and_see_nothing_on_it() -> None:
    async with a_server(a_log()) as server, server.client("student-4") as client:
        for topic in (BITCOIN, "signals:*", "candles:BTC/USDT:1h"):
            error = await client.subscribe(topic)
            assert (error["op"], error["status"]) == ("error", 403)


async def test_a_server_that_stops_sends_its_clients_away_with_a_delay() -> None:
    async with a_server(a_log()) as server, server.client("trader-1") as one, server.client("trader-2") as other:
        await one.subscribe(BITCOIN)
        stopping = asyncio.create_task(server.stop())
        for client in (one, other):
            code, reason = await close_of(client)
            assert (code, reason.split("=")[0]) == (1012, "restart, reconnect_after_ms")
        async with asyncio.timeout(5):
            await stopping


async def test_clients_that_vanish_leave_nothing_behind() -> None:
    log = a_log()
    async with a_server(log) as server:
        for _ in range(3):
            async with server.client() as client:
                await client.subscribe(BITCOIN)
                client.socket.transport.abort()
        await log.publish([a_message(1)])
        await eventually(lambda: (server.hub.status().connections, server.hub.status().topics) == (0, 0))
