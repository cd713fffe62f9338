from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from adapters.memory.database import MemoryDatabase
from tradingcore.auth.ports.sessions import RightsChange, RightsFeed


class MemoryRightsFeed(RightsFeed):
    def __init__(self, database: MemoryDatabase) -> None:
        self._log = database.rights

    async def changes(self, *, within: timedelta) -> Sequence[RightsChange]:
        return self._log.since(within)

    async def forget(self, *, older_than: timedelta) -> int:
        return self._log.forget(older_than)

    async def wait(self, at_most: timedelta) -> None:
        await self._log.alarm.sleep(at_most.total_seconds())

    async def close(self) -> None:
        pass
