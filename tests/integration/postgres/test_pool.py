"""Goal G4: whoever is cancelled, wherever, leaves nothing behind for the next one who gets the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from time import perf_counter
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres import engine as engines
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine, driver_of, fetch, statements, transaction
from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import TradingCoreError

SEED = 20261125
TASKS, CONNECTIONS = 64, 8
_LEFT = """
    select array_remove(array[
        case when current_setting('app.user_id', true) <> '' then 'context' end,
        case when pg_current_xact_id_if_assigned() is not null then 'transaction' end,
        case when exists (
            select from pg_locks where pid = pg_backend_pid() and locktype in ('advisory', 'tuple', 'transactionid')
        ) then 'lock' end
    ], null)
    """


def somebody(dice: Random) -> Actor:
    user = UserId(UUID(int=dice.getrandbits(128), version=4))
    return Actor.of_user(trace_id=TraceId("cd" * 16), user_id=user, roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="somebody")


@pytest_asyncio.fixture
async def pool(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    async with connected(database.administrator) as administrator:
        await administrator.execute("create table note (number int primary key); grant select, insert on note to tc_api")
    settings = EngineSettings(application="test", pool_size=CONNECTIONS, overflow=0, checkout_seconds=60)
    engine = create_engine(database.address(DatabaseRole.API), settings)
    yield engine
    await engine.dispose()


class Crowd:
    """Tasks that work and are cancelled at random moments, and look at every connection that they get."""

    def __init__(self, engine: AsyncEngine, seed: int) -> None:
        self._engine = engine
        self._dice = Random(seed)
        self.cancelled = self.looked = 0
        self.left: list[str] = []

    async def run(self, cancellations: int) -> None:
        async def go() -> None:
            while self.cancelled < cancellations:
                await self._be_cancelled()
                await self._look()

        await asyncio.gather(*(go() for _ in range(TASKS)))

    async def _be_cancelled(self) -> None:
        task = asyncio.create_task(self._dice.choice((self._write, self._read, self._ask))())
        if self._dice.random() < 0.5:
            await asyncio.sleep(self._dice.random() ** 2 * 0.02)
        else:
            for _ in range(self._dice.randrange(40)):
                await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        except TradingCoreError as error:
            self.left.append(str(error))
        self.cancelled += task.cancelled()

    async def _write(self) -> None:
        async with transaction(self._engine, somebody(self._dice)) as connection:
            await connection.execute(text("select pg_advisory_xact_lock_shared(7)"))
            await connection.execute(text("insert into note values (:n) on conflict do nothing"), {"n": self._dice.randrange(50)})
            await asyncio.sleep(0)

    async def _read(self) -> None:
        async with transaction(self._engine, somebody(self._dice), read_only=True) as connection:
            await connection.execute(text("select count(*) from note"))

    async def _ask(self) -> None:
        await fetch(self._engine, "select count(*) from note")

    async def _look(self) -> None:
        try:
            async with statements(self._engine) as connection:
                self.left += await _left_on(connection)
        except TradingCoreError as error:
            self.left.append(str(error))
        self.looked += 1


async def _left_on(connection: AsyncConnection) -> list[str]:
    driver = driver_of(connection)
    is_open = driver.is_in_transaction()
    return [*(["open transaction"] if is_open else []), *await driver.fetchval(_LEFT)]


async def test_cancelled_task_leaves_nothing_behind(pool: AsyncEngine) -> None:
    """The small dose."""
    crowd = Crowd(pool, SEED)
    await crowd.run(300)
    assert crowd.looked >= 300
    assert crowd.left == []


async def test_connection_that_is_kept_after_a_cancellation_is_noticed(pool: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def keep(connection: AsyncConnection) -> None:
        await connection.close()

    monkeypatch.setattr(engines, "_throw_away", keep)
    crowd = Crowd(pool, SEED)
    await crowd.run(300)
    assert "open transaction" in crowd.left


@pytest.mark.campaign
@pytest.mark.timeout(1200)
async def test_ten_thousand_cancelled_tasks_leave_nothing_behind(pool: AsyncEngine) -> None:
    begun = perf_counter()
    crowd = Crowd(pool, SEED)
    await crowd.run(10_000)
    line = {"id": "G4", "n": crowd.cancelled, "failures": len(crowd.left), "seed": SEED}
    print(json.dumps({**line, "seconds": round(perf_counter() - begun), "looked": crowd.looked}), flush=True)
    assert crowd.left == []
