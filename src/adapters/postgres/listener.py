"""A connection that hears NOTIFY. What it hears is a hint: whoever waits polls as well."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.engine import driver_of, translated
from tradingcore.kernel.errors import TradingCoreError


class Listener:
    """Connects in the background at the first `wait`, and again after the connection was lost."""

    def __init__(self, engine: AsyncEngine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._opening: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return when something was heard since the last wait, or after ``seconds``. Raises nothing when the server is away."""
        is_listening = self._driver is not None and not self._driver.is_closed()
        if not is_listening and (self._opening is None or self._opening.done()):
            self._opening = asyncio.create_task(self._open())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
            self._heard.clear()

    async def _open(self) -> None:
        with suppress(TradingCoreError), translated():
            await self._drop()
            connection = await self._engine.connect()
            try:
                driver = driver_of(connection)
                await driver.add_listener(self._channel, self._hear)
                driver.add_termination_listener(self._hear)
            except BaseException:
                await connection.invalidate()
                await connection.close()
                raise
            self._connection, self._driver = connection, driver
            # Nobody listened until now: what was committed meanwhile must not wait for the poll.
            self._heard.set()

    def _hear(self, *_: object) -> None:
        self._heard.set()

    async def _drop(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            # Never back into the pool: it would go on listening there.
            await connection.invalidate()
            await connection.close()

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._drop()
