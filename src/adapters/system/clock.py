from __future__ import annotations

from datetime import UTC, datetime

from tradingcore.kernel.ports import Clock


class SystemClock(Clock):
    __slots__ = ()

    def now(self) -> datetime:
        return datetime.now(UTC)
