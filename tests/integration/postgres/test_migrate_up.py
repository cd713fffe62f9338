from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.connect import connected
from adapters.postgres.errors import SchemaOutdated, ServerMisconfigured, ServerUnavailable
from adapters.postgres.migrate import Migrator, migrations_folder
from adapters.postgres.roles import DatabaseRole, RolePasswords
from tests.asvs import asvs
from tests.integration.postgres import migrating
from tests.integration.postgres.server import TestDatabase, TestServer


@pytest_asyncio.fixture
async def empty(postgres_cluster: TestServer) -> AsyncIterator[TestDatabase]:
    database = await postgres_cluster.create_database(migrated=False)
    yield database
    await postgres_cluster.drop_database(database)


def _with_revision(folder: Path, body: str) -> Path:
    """A copy of the revisions with one more at the end."""
    copy = folder / "migrations"
    shutil.copytree(migrations_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    head = max(path.name[:4] for path in (migrations_folder() / "versions").glob("0*.py"))
    statements = f"def upgrade():\n    for s in {body!r}.split(';'):\n        op.execute(s)\n"
    (copy / "versions" / "9001_extra.py").write_text(
        f'"""One more."""\nfrom alembic import op\nrevision = "9001"\ndown_revision = "{head}"\n{statements}'
    )
    return copy


async def _exists(database: TestDatabase, table: str) -> bool:
    async with connected(database.administrator) as connection:
        return await connection.fetchval("select to_regclass($1) is not null", table) is True


async def test_four_processes_that_migrate_at_once_all_succeed(empty: TestDatabase) -> None:
    command = migrating.arguments(empty.administrator, empty.server.passwords.file)
    processes = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(4)]
    said = [(await process.communicate())[0].decode().strip() for process in processes]
    assert said == [(await empty.migrator.check()).head] * 4


async def test_second_run_has_nothing_to_do(database: TestDatabase) -> None:
    before = await database.migrator.status()
    assert await database.migrator.up() == before
    assert before.is_current
    assert before.pending == ()


async def test_empty_database_is_refused_with_the_command_to_run(empty: TestDatabase) -> None:
    status = await empty.migrator.status()
    assert status.current is None
    assert status.pending[0].id == "0001"
    with pytest.raises(SchemaOutdated, match=r"the database is empty and \d+ revisions behind .*run tradingcore migrate up"):
        await empty.migrator.check()


async def test_server_that_is_away_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    nobody = DatabaseAddress.parse("postgresql://me:secret@127.0.0.1:1/x")
    with pytest.raises(ServerUnavailable, match=r"127.0.0.1:1/x cannot be reached"):
        await Migrator(nobody, RolePasswords(tmp_path / "roles.json")).check()


async def test_server_that_was_never_prepared_from_here_counts_as_empty(empty: TestDatabase, tmp_path: Path) -> None:
    with pytest.raises(SchemaOutdated, match="the database is empty"):
        await Migrator(empty.administrator, RolePasswords(tmp_path / "roles.json")).check()


async def test_old_schema_is_refused_and_names_where_it_is(empty: TestDatabase) -> None:
    await empty.migrator.up(target="0001")
    with pytest.raises(SchemaOutdated, match=r"at revision 0001 .*run tradingcore migrate up"):
        await empty.migrator.check()
    await empty.migrator.up()
    assert (await empty.migrator.check()).is_current


async def test_schema_of_a_newer_program_is_left_alone(database: TestDatabase, tmp_path: Path) -> None:
    newer = Migrator(database.administrator, database.server.passwords, folder=_with_revision(tmp_path, "select 1"))
    await newer.up()
    for attempt in (database.migrator.check, database.migrator.up):
        with pytest.raises(SchemaOutdated, match="9001, which this version of tradingcore does not know: update tradingcore"):
            await attempt()


async def test_database_that_does_not_exist_is_made(postgres_cluster: TestServer) -> None:
    migrator = postgres_cluster.migrator("made by migrate")
    assert (await migrator.status()).current is None
    assert (await migrator.up()).is_current
    async with connected(postgres_cluster.administrator.in_database("postgres")) as server:
        await server.execute('drop database "made by migrate" with (force)')


async def test_killed_migration_leaves_nothing_and_the_next_run_goes_on(database: TestDatabase, tmp_path: Path) -> None:
    slow = _with_revision(tmp_path / "slow", "create table public.half (); select pg_sleep(60)")
    command = migrating.arguments(database.administrator, database.server.passwords.file, slow)
    process = await asyncio.create_subprocess_exec(*command)
    async with connected(database.administrator) as watcher:
        asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        deadline = time.monotonic() + 60
        while not await watcher.fetchval(asleep):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    began = time.monotonic()
    assert not await _exists(database, "public.half")
    quick = Migrator(
        database.administrator, database.server.passwords, folder=_with_revision(tmp_path / "quick", "create table public.half ()")
    )
    assert (await quick.up()).current == "9001"
    assert await _exists(database, "public.half")
    assert time.monotonic() - began < 20, "the killed process must not hold the lock for as long as its statement would have run"


async def test_failing_revision_rolls_back_and_keeps_the_one_before(database: TestDatabase, tmp_path: Path) -> None:
    before = (await database.migrator.status()).current
    broken = Migrator(
        database.administrator,
        database.server.passwords,
        folder=_with_revision(tmp_path, "create table public.half (); select 1 / 0"),
    )
    with pytest.raises(ServerUnavailable, match=r"nothing of its last step was kept.*division by zero"):
        await broken.up()
    assert (await database.migrator.status()).current == before
    assert not await _exists(database, "public.half")


@asvs("15.4.3")
async def test_revision_that_waits_for_a_busy_table_gives_up(database: TestDatabase, tmp_path: Path) -> None:
    folder = _with_revision(tmp_path, "alter table public.heartbeat add column extra int")
    migrator = Migrator(database.administrator, database.server.passwords, folder=folder)
    async with connected(database.administrator) as other, other.transaction():
        await other.execute("select * from public.heartbeat")
        with pytest.raises(ServerUnavailable, match="lock timeout"):
            await migrator.up()
    assert (await migrator.up()).current == "9001"


async def test_login_that_is_no_administrator_is_told_so(database: TestDatabase, tmp_path: Path) -> None:
    given = dict.fromkeys(DatabaseRole, "x" * 32)
    async with connected(database.administrator) as connection:
        await connection.execute("grant connect on database postgres to tc_api")
    migrator = Migrator(database.address(DatabaseRole.API), RolePasswords(tmp_path / "roles.json", given=given))
    with pytest.raises(ServerMisconfigured, match=r"tc_api may not prepare the database .*give the address of an administrator"):
        await migrator.up()
    async with connected(database.administrator) as connection:
        await connection.execute("revoke connect on database postgres from tc_api")
