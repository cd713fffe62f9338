"""A PostgreSQL for tests: one server per test session, one fresh migrated database per test.

To use them elsewhere, import the fixtures into that folder's ``conftest.py``, as the one here does.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import DatabaseRole, RolePasswords, prepare_database

R = TypeVar("R")
_TEMPLATE = "template_migrated"
_numbers = count(1)


@dataclass(frozen=True)
class TestServer:
    """A running server with a migrated template database."""

    __test__ = False

    administrator: DatabaseAddress
    passwords: RolePasswords

    @property
    def template(self) -> DatabaseAddress:
        """The migrated database that others are copied from: for looking at, with no connection left behind."""
        return self.administrator.in_database(_TEMPLATE)

    def migrator(self, database: str) -> Migrator:
        return Migrator(self.administrator.in_database(database), self.passwords, owns_server=True)

    async def create_database(self, *, migrated: bool = True, template: str = _TEMPLATE) -> TestDatabase:
        """Copy a template (0.1 s), which nobody may be connected to, or make an empty database."""
        name = f"test_{next(_numbers)}"
        async with connected(self.administrator.in_database("postgres")) as server:
            await server.execute(f"create database {name} template {template if migrated else 'template0'}")
        address = self.administrator.in_database(name)
        if migrated:
            async with connected(address) as connection:
                await prepare_database(connection)
        return TestDatabase(address, self)

    async def drop_database(self, database: TestDatabase) -> None:
        async with connected(self.administrator.in_database("postgres")) as server:
            await server.execute(f"drop database {database.administrator.database} with (force)")


@dataclass(frozen=True)
class TestDatabase:
    """One database, as each role sees it."""

    __test__ = False

    administrator: DatabaseAddress
    server: TestServer

    @property
    def migrator(self) -> Migrator:
        return self.server.migrator(self.administrator.database)

    def address(self, role: DatabaseRole) -> DatabaseAddress:
        return self.administrator.as_user(role, self.server.passwords.of(role))

    def engine(self, role: DatabaseRole, *, pool_size: int = 4) -> AsyncEngine:
        return create_engine(self.address(role), EngineSettings(application=f"test-{role}", pool_size=pool_size, overflow=0))


def run_apart(work: Coroutine[Any, Any, R]) -> R:
    """Run to the end on a loop of its own, whatever loop this thread has."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[TestServer]:
    # Not under pytest's own temporary folder: the user that PostgreSQL runs as may not be allowed in there.
    home = Path(tempfile.mkdtemp(prefix="tradingcore-postgres-"))
    cluster = EmbeddedCluster(ClusterSettings(home=home, durable=False))
    hold = cluster.acquire()
    try:
        server = TestServer(hold.administrator, RolePasswords(home / "roles.json"))
        run_apart(server.migrator(_TEMPLATE).up())
        yield server
    finally:
        cluster.release(hold)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_database(postgres_cluster: TestServer) -> Iterator[TestDatabase]:
    """One for all tests of a file, because making a database costs more than most tests: what they leave is theirs to clear."""
    shared = run_apart(postgres_cluster.create_database())
    yield shared
    run_apart(postgres_cluster.drop_database(shared))


@pytest_asyncio.fixture
async def database(postgres_cluster: TestServer) -> AsyncIterator[TestDatabase]:
    fresh = await postgres_cluster.create_database()
    yield fresh
    await postgres_cluster.drop_database(fresh)


@pytest_asyncio.fixture
async def api_engine(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    engine = database.engine(DatabaseRole.API)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def worker_engine(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    engine = database.engine(DatabaseRole.WORKER)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def system_engine(database: TestDatabase) -> AsyncIterator[AsyncEngine]:
    engine = database.engine(DatabaseRole.SYSTEM)
    yield engine
    await engine.dispose()
