"""Time, ids and secrets that a test controls."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource

NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""


class FakeClock(Clock):
    """Stands still until it is told to move."""

    def __init__(self, at: datetime = NOON) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by

    def set(self, at: datetime) -> None:
        self._at = at


class SequentialIds(IdGenerator):
    """UUIDs of version 7 that count up from ``start``: time-ordered, equal in every run.

    Two generators that feed one store need different ``start`` values, far enough apart.
    """

    def __init__(self, start: int = 1) -> None:
        self._next = start

    def new_id(self) -> UUID:
        number, self._next = self._next, self._next + 1
        return UUID(int=(number >> 62 << 80) | 0x7 << 76 | 0b10 << 62 | number & (1 << 62) - 1)

    def new_trace_id(self) -> TraceId:
        number, self._next = self._next, self._next + 1
        return TraceId(f"{number:032x}")


class FakeSecrets(SecretSource):
    """Bytes that look random and are the same in every run. For tests only: anybody can compute them."""

    def __init__(self, seed: str = "tradingcore") -> None:
        self._seed = seed
        self._count = 0

    def token(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}:{self._count}".encode()).digest(size)
