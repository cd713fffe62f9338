"""A connection that hears NOTIFY. What it hears is a hint: whoever waits polls as well."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.engine import translated
from tradingcore.kernel.errors import TradingCoreError


class Listener:
    """Connects at the first `wait`, and again after the connection was lost."""

    def __init__(self, engine: AsyncEngine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._connection: AsyncConnection | None = None
        self._connecting = asyncio.Lock()
        self._heard = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return when something was heard since the last wait, or after ``seconds``. Raises nothing when the server is away."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with self._connecting:
                await self._listen()
        except TradingCoreError:
            await asyncio.sleep(deadline - loop.time())
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._heard.wait()
        except TimeoutError:
            return
        self._heard.clear()

    async def _listen(self) -> None:
        if self._connection is not None:
            driver = (await self._connection.get_raw_connection()).driver_connection
            if driver is not None and not driver.is_closed():
                return
            await self.close()
        with translated():
            connection = await self._engine.connect()
            try:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                await driver.add_listener(self._channel, self._hear)
                driver.add_termination_listener(self._lose)
            except BaseException:
                await connection.invalidate()
                await connection.close()
                raise
        self._connection = connection
        # Nobody listened until now: what was committed meanwhile must not wait for the poll.
        self._heard.set()

    def _hear(self, *_: object) -> None:
        self._heard.set()

    def _lose(self, *_: object) -> None:
        self._heard.set()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Never back into the pool: it would go on listening there.
            await connection.invalidate()
            await connection.close()
