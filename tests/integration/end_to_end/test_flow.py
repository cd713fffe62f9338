"""From a closed candle to a message on a socket, with every process that may be killed killed on the way."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from tests.integration.end_to_end.conftest import REPLAYED
from tests.integration.end_to_end.stage import KEY, SECONDS, Stage

pytestmark = pytest.mark.timeout(600)  # real processes and a real training, on whatever machine this is

SERIES = ("--symbol", KEY.symbol, "--timeframe", KEY.timeframe.value)


@asynccontextmanager
async def a_subscriber(address: str, token: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the events of every signal as they come."""
    request = urllib.request.Request(
        f"{address}/api/v1/auth/stream-tickets", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    with await asyncio.to_thread(urllib.request.urlopen, request) as response:
        ticket = json.load(response)["ticket"]
    events: list[dict[str, Any]] = []
    url = f"{address.replace('http', 'ws', 1)}/api/v1/stream"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("tradingcore.v1")]) as socket:
        await socket.send(json.dumps({"op": "auth", "ticket": ticket}))
        await socket.send(json.dumps({"op": "subscribe", "id": 1, "topics": [{"topic": "signals:*"}]}))

        async def listen() -> None:
            async for text in socket:
                frame = json.loads(text)
                if frame["op"] == "event":
                    events.append(frame)
                elif frame["op"] == "ping":
                    await socket.send(json.dumps({"op": "pong"}))

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.5)
        yield events
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def replayed(stage: Stage, start: str, *, speed: str) -> None:
    await asyncio.to_thread(stage.json, "market", "replay", *SERIES, "--from", start, "--speed", speed, "--rewind", "--yes")


async def until(condition: Any, *, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.2)


async def test_every_candle_gives_one_signal_to_every_subscriber_though_the_worker_is_killed(
    stage: Stage, replay_start: str
) -> None:
    token = stage.json("keys", "create", "--role", "trader")["token"]
    async with stage.process("serve", "--port", "0") as api, a_subscriber(api.document["address"], token) as events:

        def issued() -> list[dict[str, Any]]:
            return [event for event in events if event["type"] == "signal.issued"]

        replay = asyncio.create_task(replayed(stage, replay_start, speed="8"))
        for _ in range(3):
            async with stage.process("worker") as worker:
                seen = len(issued())
                await until(lambda seen=seen: len(issued()) > seen or replay.done(), what="no signal came")
                await worker.kill()
        async with stage.process("worker"):
            await replay
            await until(lambda: len(issued()) >= REPLAYED, what=f"{len(issued())} signals came")
            await asyncio.sleep(1.0)

    candles = Counter(event["data"]["decision_candle"] for event in issued())
    assert len(candles) == REPLAYED
    assert set(candles.values()) == {1}, "a signal was sent twice"
    offsets = [event["offset"] for event in events]
    assert offsets == list(range(offsets[0], offsets[0] + len(offsets))), "an offset was left out or repeated"

    signals = stage.json("signals", "list", "--limit", "1000")
    assert Counter(signal["decision_candle"] for signal in signals) == candles
    assert {signal["edge_status"] for signal in signals} == {"unverified"}
    outbox = stage.json("outbox", "status")
    assert (outbox["open"], outbox["parked"]) == (0, 0)


async def test_a_stored_signal_is_explained_bit_for_bit(stage: Stage) -> None:
    signals = stage.json("signals", "list", "--limit", "3")
    assert signals
    for signal in signals:
        explanation = stage.json("signals", "explain", signal["id"])
        assert explanation["mismatches"] == []
        assert explanation["lineage"]["trace_id"] == signal["trace_id"]
