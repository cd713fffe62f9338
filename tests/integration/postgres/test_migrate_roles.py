from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.connect import connected
from adapters.postgres.engine import transaction
from adapters.postgres.errors import LoginRefused, SchemaOutdated, ServerMisconfigured, UnsafeRole
from adapters.postgres.migrate import Migrator
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.roles import LOGIN_ROLES, SCHEMAS, DatabaseRole, RolePasswords, assert_safe_role
from adapters.postgres.unit import NOBODY
from entrypoints.platform import ProcessKind, running
from entrypoints.settings import load
from tests.asvs import asvs
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import PermissionDenied, WriteWhileReading


@asvs("13.2.1", "13.2.2")
async def test_roles_have_exactly_the_powers_of_the_specification(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        rows = await connection.fetch("select * from pg_roles where rolname like 'tc\\_%' order by rolname")
        members = await connection.fetch(
            "select roleid::regrole::text as role, member::regrole::text as member from pg_auth_members "
            "where roleid::regrole::text like 'tc\\_%' or member::regrole::text like 'tc\\_%'"
        )
    assert {row["rolname"] for row in rows} == set(DatabaseRole)
    for row in rows:
        assert not any(row[power] for power in ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolinherit"))
        assert row["rolcanlogin"] == (row["rolname"] != "tc_owner")
        assert row["rolbypassrls"] == (row["rolname"] == "tc_system")
    assert [(row["role"], row["member"]) for row in members] == [("tc_owner", "tc_migrator")]


async def test_everything_belongs_to_the_owner(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        schemas = await connection.fetch(
            "select nspname, nspowner::regrole::text as owner from pg_namespace where nspname = any($1::text[])", list(SCHEMAS)
        )
        others = await connection.fetch(
            "select oid::regclass from pg_class where relnamespace::regnamespace::text = any($1::text[]) "
            "and relowner <> 'tc_owner'::regrole",
            list(SCHEMAS),
        )
    assert {row["nspname"]: row["owner"] for row in schemas} == dict.fromkeys(SCHEMAS, "tc_owner")
    assert others == []


async def test_second_run_keeps_the_passwords_and_corrects_the_roles(database: TestDatabase) -> None:
    before = database.server.passwords.complete()
    async with connected(database.administrator) as connection:
        await connection.execute("alter role tc_api superuser bypassrls")
    await database.migrator.up()
    assert database.server.passwords.complete() == before
    async with connected(database.address(DatabaseRole.API)) as connection:
        await assert_safe_role(connection)


async def test_only_the_owner_of_the_file_reads_the_passwords(database: TestDatabase) -> None:
    file = database.server.passwords.file
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text())) == set(LOGIN_ROLES)


def test_first_passwords_make_their_folder(tmp_path: Path) -> None:
    RolePasswords(tmp_path / "data" / "tradingcore" / "roles.json").complete()
    assert (tmp_path / "data" / "tradingcore" / "roles.json").stat().st_mode & 0o777 == 0o600


def test_folder_that_takes_no_passwords_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "gone")
    with pytest.raises(ServerMisconfigured, match="cannot be used as a data folder"):
        RolePasswords(tmp_path / "data" / "roles.json").complete()


def test_given_password_is_used_and_not_written_down(tmp_path: Path) -> None:
    passwords = RolePasswords(tmp_path / "roles.json", given={DatabaseRole.API: "from-the-settings"})
    assert passwords.of(DatabaseRole.API) == "from-the-settings"
    with pytest.raises(SchemaOutdated, match="run tradingcore migrate up"):
        passwords.of(DatabaseRole.WORKER)
    assert passwords.complete()[DatabaseRole.API] == "from-the-settings"
    assert "from-the-settings" not in (tmp_path / "roles.json").read_text()
    assert passwords.of(DatabaseRole.WORKER) == passwords.complete()[DatabaseRole.WORKER]


def test_damaged_password_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "roles.json").write_text("{")
    with pytest.raises(ServerMisconfigured, match=r"roles\.json cannot be read as a file of role passwords"):
        RolePasswords(tmp_path / "roles.json").of(DatabaseRole.API)


async def test_serving_roles_are_safe(database: TestDatabase) -> None:
    for role in (DatabaseRole.API, DatabaseRole.WORKER):
        async with connected(database.address(role)) as connection:
            await assert_safe_role(connection)
    async with connected(database.address(DatabaseRole.SYSTEM)) as connection:
        await assert_safe_role(connection, may_bypass=True)


@asvs("13.2.1")
async def test_every_unsafe_way_to_serve_is_refused(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        with pytest.raises(UnsafeRole, match=r"superuser and it bypasses row-level security and it may become tc_owner"):
            await assert_safe_role(connection)
    async with connected(database.address(DatabaseRole.MIGRATOR)) as connection:
        with pytest.raises(UnsafeRole, match="tc_migrator is not safe to serve with: it may become tc_owner;"):
            await assert_safe_role(connection)
        await connection.execute("set role tc_owner")
        with pytest.raises(UnsafeRole, match="it owns tables"):
            await assert_safe_role(connection)
    async with connected(database.address(DatabaseRole.SYSTEM)) as connection:
        with pytest.raises(UnsafeRole, match="it bypasses row-level security;"):
            await assert_safe_role(connection)
    async with connected(database.address(DatabaseRole.API)) as connection:
        await connection.execute("set row_security = off")
        with pytest.raises(UnsafeRole, match="row_security is off;"):
            await assert_safe_role(connection)


async def test_second_installation_never_takes_the_roles_of_the_first(database: TestDatabase, tmp_path: Path) -> None:
    stranger = Migrator(database.administrator, RolePasswords(tmp_path / "roles.json"))
    with pytest.raises(ServerMisconfigured, match="has a role tc_api already and its password is not in"):
        await stranger.up()
    assert not (tmp_path / "roles.json").exists()
    assert (await database.migrator.check()).is_current


async def test_password_that_the_server_does_not_accept_is_told_with_the_way_out(database: TestDatabase, tmp_path: Path) -> None:
    wrong = RolePasswords(tmp_path / "roles.json", given={DatabaseRole.API: "wrong"})
    with pytest.raises(LoginRefused, match=r"refuses the login: .*run tradingcore migrate up") as caught:
        await Migrator(database.administrator, wrong).check()
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.WORKER, DatabaseRole.SYSTEM])
async def test_serving_role_has_no_storage_beside_the_tables(database: TestDatabase, role: DatabaseRole) -> None:
    async with connected(database.address(role)) as connection:
        # What a session may allow itself again: the rights behind it are what is tried here.
        await connection.execute("set default_transaction_read_only = off")
        for statement in (
            "select lo_create(0)",
            "select lo_from_bytea(0, 'x')",
            "create temp table mine ()",
            "create schema mine",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    for other in ("postgres", "template1"):
        with pytest.raises(LoginRefused, match="permission denied"):
            async with connected(database.address(role).in_database(other)):
                pass


async def test_role_that_bypasses_policies_gets_single_columns(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        rows = await connection.fetch(
            "select table_name, privilege_type from information_schema.role_table_grants where grantee = 'tc_system' order by 1, 2"
        )
        owned = await connection.fetch(
            "select distinct table_name from information_schema.column_privileges where grantee = 'tc_system' order by 1"
        )
    assert {(row["table_name"], row["privilege_type"]) for row in rows} == {
        (table, "DELETE") for table in ("outbox", "dead_letters", "inbox")
    }
    assert {row["table_name"] for row in owned} == {"outbox", "dead_letters", "inbox"}


async def test_api_reads_the_figures_of_the_relay_and_nothing_of_an_event(api_engine: AsyncEngine) -> None:
    outbox = PostgresOutbox(api_engine, EventCodec(()))
    assert (await outbox.status()).open == 0
    with pytest.raises((PermissionDenied, WriteWhileReading)):
        await outbox.claim(limit=1, lease=timedelta(seconds=1))
    with pytest.raises(PermissionDenied):
        await outbox.list_parked(limit=1)


async def test_api_process_holds_no_connection_that_bypasses_policies(database: TestDatabase) -> None:
    at, roles = database.administrator, database.server.passwords.file
    address = f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"
    settings = load(flags={"storage": address, "data_dir": roles.parent}).values
    for kind, expected in ((ProcessKind.API, {"tc_api"}), (ProcessKind.WORKER, {"tc_worker", "tc_system"})):
        async with running(settings, kind) as platform:
            engines = platform.container.engine(), platform.container.system_engine()
            found = {row.name for engine in engines for row in await _who(engine)}
        assert found == expected


async def _who(engine: AsyncEngine) -> Sequence[Any]:
    async with transaction(engine, NOBODY) as connection:
        return (await connection.execute(text("select current_user::text as name"))).all()
