"""A subscriber like any other: an API key, a ticket, a WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets

from entrypoints.cli.exits import CommandFailed

SUBPROTOCOL = "tradingcore.v1"


class Audience:
    """Listens to every signal and remembers when each came. ``received`` maps signal id to its data."""

    def __init__(self, on_signal: Callable[[dict[str, Any]], None]) -> None:
        self.received: dict[str, dict[str, Any]] = {}
        self.received_at: dict[tuple[str, str, str], float] = {}
        self.resolved = 0
        self._on_signal = on_signal
        self._ready = asyncio.Event()

    async def run(self, address: str, token: str) -> None:
        """Listen until cancelled; come back after a lost connection, from where we were."""
        since: dict[str, Any] | None = None
        while True:
            ticket = await _ticket(address, token)
            url = address.replace("http://", "ws://", 1) + "/api/v1/stream"
            with suppress(websockets.ConnectionClosed):
                async with websockets.connect(url, subprotocols=[websockets.Subprotocol(SUBPROTOCOL)], max_size=1 << 20) as socket:
                    await socket.send(json.dumps({"op": "auth", "id": "1", "ticket": ticket}))
                    topic: dict[str, Any] = {"topic": "signals:*"}
                    if since is not None:
                        topic["since"] = since
                    await socket.send(json.dumps({"op": "subscribe", "id": "2", "topics": [topic]}))
                    async for text in socket:
                        frame = json.loads(text)
                        since = await self._take(socket, frame, since)

    async def _take(self, socket: Any, frame: dict[str, Any], since: dict[str, Any] | None) -> dict[str, Any] | None:
        """Handle a frame and return the position to come back from."""
        match frame["op"]:
            case "ping":
                await socket.send(json.dumps({"op": "pong"}))
            case "ack" | "reset" if frame.get("topic") == "signals:*":
                self._ready.set()
                return {"epoch": frame["epoch"], "offset": frame["offset"]}
            case "event" if since is not None:
                self._hear(frame)
                return {**since, "offset": frame["offset"]}
        return since

    def _hear(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        if frame["type"] == "signal.resolved":
            self.resolved += 1
        elif frame["type"] == "signal.issued" and data["id"] not in self.received:
            self.received[data["id"]] = data
            self.received_at[data["symbol"], data["timeframe"], data["decision_candle"]] = time.perf_counter()
            self._on_signal(data)

    async def ready(self) -> None:
        """Return when the subscription stands."""
        await self._ready.wait()


async def _ticket(address: str, token: str) -> str:
    return await asyncio.to_thread(_fetch_ticket, address, token)


def _fetch_ticket(address: str, token: str) -> str:
    request = urllib.request.Request(  # noqa: S310 - our own server on this machine
        address + "/api/v1/auth/stream-tickets", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - likewise
            ticket: str = json.load(response)["ticket"]
            return ticket
    except OSError as error:
        raise CommandFailed(f"the API at {address} gave no stream ticket: {error}") from None


@asynccontextmanager
async def listening(address: str, token: str, on_signal: Callable[[dict[str, Any]], None]) -> AsyncIterator[Audience]:
    """Yield an audience whose subscription stands."""
    audience = Audience(on_signal)
    task = asyncio.create_task(audience.run(address, token))
    ready = asyncio.create_task(audience.ready())
    try:
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield audience
    finally:
        for one in (task, ready):
            one.cancel()
        await asyncio.gather(task, ready, return_exceptions=True)
