"""Wakes whoever sleeps until there is news."""

from __future__ import annotations

import asyncio


class Alarm:
    def __init__(self) -> None:
        self._has_rung = False
        self._sleepers: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self._has_rung = True
        while self._sleepers:
            sleeper = self._sleepers.pop()
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Return when it has rung since the last sleep ended, or after ``seconds``."""
        if not self._has_rung:
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
            try:
                await asyncio.wait((sleeper,), timeout=seconds)
            finally:
                self._sleepers.discard(sleeper)
        self._has_rung = False
