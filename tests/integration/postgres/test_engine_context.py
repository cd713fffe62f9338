from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.engine import transaction
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId

_USER = UserId(UUID("01890000-0000-7000-8000-000000000001"))


def a_trader() -> Actor:
    return Actor.of_user(trace_id=TraceId("ab" * 16), user_id=_USER, roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="t")


async def _context(connection: AsyncConnection) -> tuple[str | None, ...]:
    names = ("app.user_id", "app.roles", "app.request_id")
    asked = ", ".join(f"current_setting('{name}', true)" for name in names)
    return tuple((await connection.execute(text(f"select {asked}"))).one())


async def test_context_is_set_before_the_first_statement(api_engine: AsyncEngine) -> None:
    async with transaction(api_engine, a_trader()) as connection:
        assert await _context(connection) == (str(_USER), "trader", "ab" * 16)


async def test_context_of_nobody_reads_as_null_through_nullif(api_engine: AsyncEngine) -> None:
    async with transaction(api_engine, Actor.anonymous(TraceId("00" * 16))) as connection:
        asked = text("select nullif(current_setting('app.user_id', true), '')::uuid")
        assert await connection.scalar(asked) is None
