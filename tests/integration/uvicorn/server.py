"""The stream routes behind a real uvicorn on a free loopback port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import StreamLimits
from entrypoints.http.stream.protocol import SUBPROTOCOL
from tests.unit.entrypoints.http.stream.builders import Tickets, an_app, checked
from tradingcore.notifications.ports import StreamLog


class Server(uvicorn.Server):
    """Leaves the signals of the test process alone, and drains the hub before it closes sockets."""

    hub: Hub

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.hub.drain()
        await super().shutdown(sockets)


class StreamServer:
    def __init__(self, log: StreamLog, limits: StreamLimits, port: int = 0) -> None:
        self.tickets = Tickets()
        self.hub = Hub(log, limits)
        app = an_app(self.hub, self.tickets)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5, ws_per_message_deflate=False)
        self._server = Server(config)
        self._server.hub = self.hub
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/stream"

    async def start(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            assert not self._serving.done(), "the server did not start"
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    @asynccontextmanager
    async def client(self, ticket: str = "trader-1", **options: Any) -> AsyncIterator[Client]:
        async with connect(self.url, subprotocols=[Subprotocol(SUBPROTOCOL)], **options) as socket:
            client = Client(socket)
            if ticket:
                await client.send({"op": "auth", "ticket": ticket})
                assert await client.receive() == {"op": "ack"}
            yield client


class Client:
    """A socket whose frames, in both directions, are validated against the AsyncAPI document."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, frame: dict[str, Any]) -> None:
        text = json.dumps(frame)
        checked(text, operation="receiveFromClient")
        await self.socket.send(text)

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return checked(await self.socket.recv())

    async def subscribe(self, topic: str, *, since: tuple[str, int] | None = None) -> dict[str, Any]:
        request: dict[str, Any] = {"topic": topic}
        if since is not None:
            request["since"] = {"epoch": since[0], "offset": since[1]}
        await self.send({"op": "subscribe", "id": topic, "topics": [request]})
        return await self.receive()

    async def offsets(self, count: int) -> list[int]:
        return [(await self.receive())["offset"] for _ in range(count)]


@asynccontextmanager
async def a_server(log: StreamLog, *, port: int = 0, **limits: Any) -> AsyncIterator[StreamServer]:
    server = StreamServer(log, StreamLimits(**limits), port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
