from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.engine import fetch, statements, transaction
from adapters.postgres.errors import StorageFault
from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import NotFound, WriteWhileReading

_USER = UserId(UUID("01890000-0000-7000-8000-000000000001"))
_NAMES = ("app.user_id", "app.roles", "app.scopes", "app.request_id")
_BEAT = "update heartbeat set beaten_at = now()"
_READ = text("select " + ", ".join(f"current_setting('{name}', true)" for name in _NAMES))


def a_trader() -> Actor:
    return Actor.of_user(trace_id=TraceId("ab" * 16), user_id=_USER, roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="t")


@pytest_asyncio.fixture
async def narrow_engine(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    """One connection, so that each transaction gets what the one before left."""
    engine = database.engine(DatabaseRole.API, pool_size=1)
    yield engine
    await engine.dispose()


def _end(ending: str) -> None:
    if ending == "rollback":
        raise NotFound("no such thing")


async def _context(connection: AsyncConnection) -> list[str | None]:
    return list((await connection.execute(_READ)).one())


async def _raw_context(engine: AsyncEngine) -> tuple[int, list[str | None]]:
    async with engine.connect() as connection:
        pid = int((await connection.execute(text("select pg_backend_pid()"))).scalar_one())
        return pid, await _context(connection)


async def test_first_statement_sees_who_calls(api_engine: AsyncEngine) -> None:
    async with transaction(api_engine, a_trader()) as connection:
        user, roles, scopes, request = await _context(connection)
    assert (user, roles, request) == (str(_USER), "trader", "ab" * 16)
    assert scopes is not None
    assert "signals:read" in scopes.split(",")


async def test_nobody_reads_as_null_through_nullif(api_engine: AsyncEngine) -> None:
    async with transaction(api_engine, Actor.anonymous(TraceId("00" * 16))) as connection:
        asked = text("select nullif(current_setting('app.user_id', true), '')::uuid")
        assert await connection.scalar(asked) is None


@pytest.mark.parametrize("ending", ["commit", "rollback"])
async def test_context_ends_with_the_transaction(narrow_engine: AsyncEngine, ending: str) -> None:
    first = None
    with suppress(NotFound):
        async with transaction(narrow_engine, a_trader()) as connection:
            first = await connection.scalar(text("select pg_backend_pid()"))
            _end(ending)
    second, context = await _raw_context(narrow_engine)
    assert second == first, "a sound connection goes back to the pool"
    assert not any(context)


async def test_savepoint_restores_the_context_of_its_beginning(api_engine: AsyncEngine) -> None:
    async with transaction(api_engine, a_trader()) as connection:
        savepoint = await connection.begin_nested()
        await connection.execute(text("select set_config('app.user_id', 'somebody', true)"))
        await savepoint.rollback()
        assert (await _context(connection))[0] == str(_USER)


async def test_next_caller_on_the_same_connection_is_only_himself(narrow_engine: AsyncEngine) -> None:
    async with transaction(narrow_engine, a_trader()):
        pass
    async with transaction(narrow_engine, Actor.anonymous(TraceId("00" * 16))) as connection:
        assert await _context(connection) == ["", "", "", "00" * 16]


async def test_clean_exit_commits_and_an_error_rolls_back(api_engine: AsyncEngine) -> None:
    async def beat(year: int, ending: str) -> None:
        async with transaction(api_engine, a_trader()) as connection:
            await connection.execute(text("update heartbeat set beaten_at = :at"), {"at": datetime(year, 1, 1, tzinfo=UTC)})
            _end(ending)

    read = text("select extract(year from beaten_at)::int from heartbeat")
    await beat(2001, "commit")
    with pytest.raises(NotFound):
        await beat(2002, "rollback")
    async with transaction(api_engine, a_trader()) as connection:
        assert await connection.scalar(read) == 2001


async def test_names_with_quotes_are_text_and_nothing_else(api_engine: AsyncEngine) -> None:
    trace_id = TraceId("it''s \\' ; select 1 / 0; --")
    async with transaction(api_engine, Actor.anonymous(trace_id)) as connection:
        assert (await _context(connection))[3] == trace_id


async def test_caught_error_of_a_statement_does_not_pass_for_a_commit(api_engine: AsyncEngine) -> None:
    async def fail_quietly() -> None:
        async with transaction(api_engine, a_trader()) as connection:
            await connection.execute(text("update heartbeat set beaten_at = now()"))
            with suppress(DBAPIError):
                await connection.execute(text("select 1 / 0"))

    with pytest.raises(StorageFault, match="nothing was written"):
        await fail_quietly()


async def test_statement_outside_of_a_transaction_is_one_of_its_own(narrow_engine: AsyncEngine) -> None:
    begun = text("select now()")
    async with statements(narrow_engine) as connection:
        assert await connection.scalar(begun) < await connection.scalar(begun)


@pytest.mark.parametrize("caller", [a_trader(), replace(a_trader(), is_reading=True)])
async def test_reading_transaction_cannot_write(narrow_engine: AsyncEngine, caller: Actor) -> None:
    for statement in (_BEAT, "create temporary table note ()", "select * from heartbeat for update"):
        with pytest.raises(WriteWhileReading):
            async with transaction(narrow_engine, caller, read_only=not caller.is_reading) as connection:
                await connection.execute(text(statement))
    async with transaction(narrow_engine, a_trader()) as connection:
        await connection.execute(text(_BEAT))


async def test_nothing_can_be_written_outside_of_a_transaction(narrow_engine: AsyncEngine) -> None:
    with pytest.raises(WriteWhileReading):
        await fetch(narrow_engine, _BEAT)
    with pytest.raises(WriteWhileReading):
        async with statements(narrow_engine) as connection:
            await connection.execute(text(_BEAT))
