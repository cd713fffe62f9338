from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import transaction
from tradingcore.kernel.authz import Actor, TraceId

_PROBE = Actor.system(TraceId("0" * 32), name="readiness")


class PostgresReadiness:
    """Writes the heartbeat row: a database that answers but takes no writes is not ready."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self) -> None:
        """Raises `Unavailable`."""
        async with transaction(self._engine, _PROBE) as connection:
            await connection.execute(text("update public.heartbeat set beaten_at = now()"))
