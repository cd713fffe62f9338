from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.postgres.connect import connected
from adapters.postgres.errors import LoginRefused, SchemaOutdated, ServerMisconfigured, UnsafeRole
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import LOGIN_ROLES, SCHEMAS, DatabaseRole, RolePasswords, assert_safe_role
from tests.integration.postgres.server import TestDatabase


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
