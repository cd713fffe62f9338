"""A client of the tradingcore stream that loses nothing: it reconnects, resumes by position and says when history is gone.

Needs Python 3.11 and ``websockets``. As a program it prints what happens, one JSON document per line:

    TRADINGCORE_API_KEY=tc_… python stream_client.py http://127.0.0.1:8000 'signals:*' candles:BTC/USDT:1h
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any
from urllib.error import HTTPError

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

Frame = dict[str, Any]
FINAL_CODES = {4400, 4403}
FIRST_DELAY, LONGEST_DELAY = 0.25, 15.0
SILENCE_SECONDS = 45.0


class Refused(Exception):
    """The server will never take this client: the credential or the request is wrong."""


class StreamClient:
    """Follows topics over ``/api/v1/stream``.

    ``get_ticket`` buys a stream ticket (``POST /api/v1/auth/stream-tickets``); an `OSError` of it is retried. ``positions`` maps
    a topic to its (epoch, offset) after the last frame that was handed out: store it with what you made of the events, and pass
    it to the next client to go on from there.
    """

    def __init__(
        self,
        address: str,
        get_ticket: Callable[[], Awaitable[str]],
        topics: Iterable[str],
        positions: dict[str, tuple[str, int]] | None = None,
    ) -> None:
        self._url = re.sub("^http", "ws", address.rstrip("/")) + "/api/v1/stream"
        self._get_ticket = get_ticket
        self._topics = list(topics)
        self.positions = dict(positions or {})

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield ``event``, ``reset``, ``notice`` and ``error`` frames for as long as you like.

        After a ``reset`` fetch the state of its topic by HTTP; the events that follow go on from there. Each event of a topic
        comes once and in order. Raises `Refused`.
        """
        delay = FIRST_DELAY
        while True:
            try:
                async with connect(self._url, subprotocols=[Subprotocol("tradingcore.v1")]) as socket:
                    await self._subscribe(socket)
                    async for frame in self._read(socket):
                        delay = FIRST_DELAY
                        yield frame
            except ConnectionClosed as closed:
                code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
                if code in FINAL_CODES:
                    raise Refused(f"the server closed the stream with {code} {reason}") from closed
                asked = re.search(r"reconnect_after_ms=(\d+)", reason)
                pause = int(asked[1]) / 1000 if asked else delay
            except InvalidStatus as error:
                if error.response.status_code < 500:
                    raise Refused(f"the server refuses the stream: {error}") from error
                pause = delay
            except OSError:
                pause = delay
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads clients in time
            delay = min(2 * delay, LONGEST_DELAY)

    async def _subscribe(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"op": "auth", "ticket": await self._get_ticket()}))
        requests: list[Frame] = []
        for topic in self._topics:
            request: Frame = {"topic": topic}
            if topic in self.positions:
                epoch, offset = self.positions[topic]
                request["since"] = {"epoch": epoch, "offset": offset}
            requests.append(request)
        await socket.send(json.dumps({"op": "subscribe", "id": 1, "topics": requests}))

    async def _read(self, socket: ClientConnection) -> AsyncIterator[Frame]:
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                frame: Frame = json.loads(await socket.recv())
            match frame["op"]:
                case "ping":
                    await socket.send('{"op":"pong"}')
                case "ack":
                    # Where nothing was recovered the position is the newest one; a reset says so to the caller.
                    if "topic" in frame:
                        self.positions[frame["topic"]] = (frame["epoch"], frame["offset"])
                case "reset":
                    self.positions[frame["topic"]] = (frame["epoch"], frame["offset"])
                    yield frame
                case "event":
                    epoch, offset = self.positions[frame["topic"]]
                    if frame["offset"] > offset:
                        self.positions[frame["topic"]] = (epoch, frame["offset"])
                        yield frame
                case _:
                    yield frame


def ticket_source(address: str, api_key: str) -> Callable[[], Awaitable[str]]:
    """Buys tickets with an API key."""

    def buy() -> str:
        url, headers = address.rstrip("/") + "/api/v1/auth/stream-tickets", {"Authorization": f"Bearer {api_key}"}
        request = urllib.request.Request(url, method="POST", headers=headers)  # noqa: S310 - the caller's own address
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - likewise
                return str(json.load(response)["ticket"])
        except HTTPError as error:
            if error.code in {401, 403}:
                raise Refused(f"the API key is not accepted: {error}") from error
            raise

    return lambda: asyncio.to_thread(buy)


async def main(address: str, *topics: str) -> None:
    client = StreamClient(address, ticket_source(address, os.environ["TRADINGCORE_API_KEY"]), topics)
    async for frame in client.frames():
        print(json.dumps(frame), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
