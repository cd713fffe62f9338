"""Cancellations, lost servers and refused statements: what leaves the engine, and what it keeps."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine, transaction, translated
from adapters.postgres.errors import ServerUnavailable, StorageFault, StorageFull
from adapters.postgres.roles import DatabaseRole
from tests.asvs import asvs
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import Conflict, PermissionDenied, StaleVersion

_ACTOR = Actor.of_user(
    trace_id=TraceId("cd" * 16), user_id=UserId(UUID(int=7)), roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="t"
)


@pytest_asyncio.fixture
async def notes(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    """An engine whose role may write to a table of notes."""
    async with connected(database.administrator) as connection:
        await connection.execute("create table note (number int primary key, body text)")
        await connection.execute("grant select, insert, update on note to tc_api")
        await connection.execute("create table closed (number int)")
    engine = database.engine(DatabaseRole.API)
    yield engine
    await engine.dispose()


async def _insert(engine: AsyncEngine, number: int, *, stale: str | None = None) -> None:
    async with transaction(engine, _ACTOR) as connection:
        with translated(stale=stale):
            await connection.execute(text("insert into note values (:number)"), {"number": number})


async def test_second_insert_of_a_key_is_stale_where_the_caller_says_so(notes: AsyncEngine) -> None:
    await _insert(notes, 1)
    with pytest.raises(StaleVersion, match="note 1 was saved by somebody else"):
        await _insert(notes, 1, stale="note 1 was saved by somebody else")
    with pytest.raises(Conflict) as caught:
        await _insert(notes, 1)
    assert type(caught.value) is Conflict


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select 1 / 0", StorageFault),
        ("select * from nowhere", StorageFault),
        ("select * from closed", PermissionDenied),
        ("select pg_sleep(5)", ServerUnavailable),
        ("do $$ begin raise sqlstate '53100'; end $$", StorageFull),
        ("do $$ begin raise sqlstate '40001'; end $$", Conflict),
        ("do $$ begin raise sqlstate '40P01'; end $$", Conflict),
        ("do $$ begin raise sqlstate '55P03'; end $$", ServerUnavailable),
    ],
)
async def test_refused_statement_leaves_as_a_kernel_error(
    database: TestDatabase, notes: AsyncEngine, statement: str, expected: type[Exception]
) -> None:
    engine = create_engine(database.address(DatabaseRole.API), EngineSettings(application="test", statement_seconds=0.3))
    with pytest.raises(expected) as caught:
        async with transaction(engine, _ACTOR) as connection:
            await connection.execute(text(statement))
    assert statement not in str(caught.value)
    async with transaction(engine, _ACTOR) as connection:
        assert await connection.scalar(text("select 1")) == 1
    await engine.dispose()


@asvs("15.4.3")
async def test_two_that_lock_each_other_out_get_one_winner_and_one_conflict(notes: AsyncEngine) -> None:
    await _insert(notes, 1)
    await _insert(notes, 2)
    both_hold_one = asyncio.Barrier(2)

    async def update(first: int, second: int) -> None:
        async with transaction(notes, _ACTOR) as connection:
            await connection.execute(text("update note set body = 'x' where number = :n"), {"n": first})
            await both_hold_one.wait()
            await connection.execute(text("update note set body = 'x' where number = :n"), {"n": second})

    outcomes = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


@pytest.mark.parametrize("moment", ["in a statement", "between statements"])
async def test_cancelled_connection_is_thrown_away(database: TestDatabase, moment: str) -> None:
    engine = database.engine(DatabaseRole.API, pool_size=1)
    started = asyncio.Event()
    pids: list[int] = []

    async def sleep() -> None:
        async with transaction(engine, _ACTOR) as connection:
            pids.append((await connection.execute(text("select pg_backend_pid()"))).scalar_one())
            started.set()
            if moment == "in a statement":
                await connection.execute(text("select pg_sleep(30)"))
            await asyncio.sleep(30)

    task = asyncio.create_task(sleep())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with transaction(engine, _ACTOR) as connection:
        assert (await connection.execute(text("select pg_backend_pid()"))).scalar_one() not in pids
    await engine.dispose()


@asvs("13.2.6")
async def test_full_pool_says_that_the_database_is_busy(database: TestDatabase) -> None:
    settings = EngineSettings(application="test", pool_size=1, overflow=0, checkout_seconds=0.1)
    engine = create_engine(database.address(DatabaseRole.API), settings)
    async with transaction(engine, _ACTOR):
        with pytest.raises(ServerUnavailable, match="all connections are in use"):
            async with transaction(engine, _ACTOR):
                pass
    await engine.dispose()


@pytest.fixture
def own_cluster() -> Iterator[EmbeddedCluster]:
    with tempfile.TemporaryDirectory(prefix="tradingcore-faults-") as folder:
        yield EmbeddedCluster(ClusterSettings(home=Path(folder) / "postgres", durable=False))


async def test_server_that_goes_away_and_comes_back(own_cluster: EmbeddedCluster) -> None:
    hold = await asyncio.to_thread(own_cluster.acquire)
    port = hold.administrator.port
    engine = create_engine(hold.administrator.in_database("postgres"), EngineSettings(application="test", pool_size=2))
    async with transaction(engine, _ACTOR):
        pass

    async def lose_it_in_the_middle() -> None:
        async with transaction(engine, _ACTOR) as connection:
            await asyncio.to_thread(own_cluster.release, hold)
            await connection.execute(text("select 1"))

    with pytest.raises(ServerUnavailable):
        await lose_it_in_the_middle()
    with pytest.raises(ServerUnavailable, match="cannot be reached"):
        async with transaction(engine, _ACTOR):
            pass
    again = EmbeddedCluster(ClusterSettings(home=own_cluster.home, port=port, durable=False))
    async with again.running():
        async with transaction(engine, _ACTOR) as connection:
            assert await connection.scalar(text("select 1")) == 1
        # Killed from outside: the pool holds a dead connection, and the next caller never notices.
        async with connected(hold.administrator.in_database("postgres")) as other:
            await other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test'")
        async with transaction(engine, _ACTOR) as connection:
            assert await connection.scalar(text("select 1")) == 1
        await engine.dispose()


async def test_wrong_password_is_told_without_it(database: TestDatabase) -> None:
    address = database.administrator.as_user(DatabaseRole.API, "not-the-password")
    with pytest.raises(ServerUnavailable) as caught:
        async with connected(address):
            pass
    assert "refuses the login" in str(caught.value)
    assert "not-the-password" not in str(caught.value) + repr(address)
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError | None)
