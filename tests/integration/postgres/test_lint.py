"""The checks of `tradingcore db lint`: none finds anything in the migrated database, and each finds what was planted for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio

from adapters.postgres.connect import connected
from adapters.postgres.lint import lists, server
from adapters.postgres.lint.findings import Finding
from adapters.postgres.lint.run import CHECKS, lint
from adapters.postgres.roles import DatabaseRole
from entrypoints.cli import app
from entrypoints.cli.exits import Exit
from tests.integration.postgres.server import TestDatabase, TestServer, run_apart

_ME = "user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)"
_NOTES = f"""
    create table public.notes (id uuid primary key, user_id uuid not null, body text);
    create index on public.notes (user_id);
    alter table public.notes enable row level security;
    alter table public.notes force row level security;
    create policy mine on public.notes for select to tc_api using ({_ME});
    """
_PARTS = f"""
    create table public.parts (id uuid, user_id uuid not null) partition by hash (user_id);
    create table public.parts_0 partition of public.parts for values with (modulus 1, remainder 0);
    create index on public.parts (user_id);
    alter table public.parts enable row level security;
    alter table public.parts force row level security;
    create policy mine on public.parts for select to tc_api using ({_ME});
    """
_FUNCTION = "create function public.answer() returns int language sql"

PLANTED: Mapping[str, Sequence[str]] = {
    "row_level_security_is_forced": (
        "alter table public.api_keys no force row level security",
        "alter table public.api_keys disable row level security",
        "create table trading.forgotten (id int)",
        "alter table trading.signals add user_id uuid",
        "drop policy mine on public.notes",
    ),
    "policies_name_their_role": ("alter policy mine on public.notes to public",),
    "writes_are_checked": (
        f"create policy changes on public.notes for update to tc_api using ({_ME})",
        f"create policy platform on public.notes for all to tc_worker using ({_ME})",
    ),
    "policies_do_not_overlap": (
        f"create policy again on public.notes for select to tc_api using ({_ME})",
        f"create policy again on public.notes for all to tc_api using ({_ME}) with check ({_ME})",
    ),
    "no_policy_is_open": (
        "alter policy mine on public.notes using (true)",
        f"alter policy mine on public.notes using ({_ME} or true)",
        "alter policy mine on public.notes using (user_id is not null)",
        "create policy adds on public.notes for insert to tc_api with check (user_id = user_id)",
    ),
    "nobody_owns_nothing": (
        f"alter policy mine on public.notes using (user_id is null or {_ME})",
        f"alter policy mine on public.notes using ({_ME} or (select current_setting('app.user_id', true)) is null)",
        (
            "alter policy mine on public.notes using (user_id is not distinct from"
            " (select nullif(current_setting('app.user_id', true), '')::uuid))"
        ),
        (
            "alter policy mine on public.notes using (user_id ="
            " (select coalesce(nullif(current_setting('app.user_id', true), '')::uuid, '00000000-0000-0000-0000-000000000000')))"
        ),
    ),
    "helpers_are_stable_and_asked_once": (
        "alter policy mine on public.notes using (user_id = nullif(current_setting('app.user_id', true), '')::uuid)",
        (
            "create function public.me() returns uuid language sql set search_path = pg_catalog as 'select null::uuid';"
            " revoke execute on function public.me from public;"
            " alter policy mine on public.notes using (user_id = (select public.me()))"
        ),
        (
            "create function public.me() returns uuid stable language sql as 'select null::uuid';"
            " revoke execute on function public.me from public;"
            " alter policy mine on public.notes using (user_id = (select public.me()))"
        ),
        (
            "create function public.me() returns uuid stable language sql set search_path = pg_catalog as 'select null::uuid';"
            " revoke execute on function public.me from public;"
            " alter policy mine on public.notes using (user_id = public.me())"
        ),
    ),
    "policy_columns_are_indexed": (
        "drop index public.notes_user_id_idx",
        "drop index public.notes_user_id_idx; create index on public.notes (user_id) where body is null",
        "drop index public.notes_user_id_idx; create index on public.notes (body, user_id)",
    ),
    "membership_is_an_array": (
        (
            "alter policy mine on public.notes using (user_id in (select k.user_id from public.api_keys k"
            " where k.id = (select nullif(current_setting('app.user_id', true), '')::uuid)))"
        ),
        (
            "alter policy mine on public.notes using (exists (select from public.api_keys k where k.user_id = notes.user_id"
            " and k.id = (select nullif(current_setting('app.user_id', true), '')::uuid)))"
        ),
    ),
    "views_run_as_their_caller": (
        "create view public.all_notes as select * from public.notes",
        "create view public.all_notes with (security_invoker = false) as select * from public.notes",
    ),
    "definer_functions_are_listed": (
        f"{_FUNCTION} security definer set search_path = pg_catalog as 'select 42'; revoke execute on function answer from public",
        f"{_FUNCTION} as 'select 42'; grant execute on function answer to public",
    ),
    "no_materialized_view_is_shared": (
        "create materialized view public.copies as select * from public.notes; grant select on public.copies to tc_api",
        "create materialized view public.copies as select * from public.notes; grant select (body) on public.copies to tc_worker",
    ),
    "partitions_are_not_granted": (
        "grant select on public.parts_0 to tc_api",
        "grant select (id) on public.parts_0 to tc_api",
    ),
    "hidden_rows_cannot_be_felt": (
        "create unique index on public.notes (body)",
        "create unique index on public.notes (body) include (user_id)",
        "alter table public.notes add key_id uuid references public.api_keys; create index on public.notes (key_id)",
    ),
    "foreign_keys_are_indexed": (
        "alter table trading.signals add symbol_id int references trading.symbols",
        (
            "alter table trading.signals add symbol_id int references trading.symbols;"
            " create index on trading.signals (status, symbol_id)"
        ),
    ),
}
"""By the name of the check, statements that break what it looks after, and nothing else."""


@pytest_asyncio.fixture
async def notebook(shared_database: TestDatabase) -> AsyncIterator[Any]:
    """The administrator, who has a table and a partitioned table of its own until the end, done as the rules want it."""
    async with connected(shared_database.administrator) as connection:
        await connection.execute("set role tc_owner")
        await connection.execute("begin")
        await connection.execute(_NOTES + _PARTS)
        yield connection
        await connection.execute("rollback")


def broken(found: Mapping[str, Sequence[Finding]]) -> set[str]:
    return {name for name, findings in found.items() if findings}


async def test_migrated_database_holds_every_rule(postgres_cluster: TestServer) -> None:
    async with connected(postgres_cluster.template) as connection:
        found = await lint(connection)
    assert len(found) == 16
    assert [finding for findings in found.values() for finding in findings] == []


async def test_any_role_may_look(shared_database: TestDatabase) -> None:
    async with connected(shared_database.address(DatabaseRole.API)) as connection:
        assert broken(await lint(connection)) == set()


@pytest.mark.parametrize("check", PLANTED)
async def test_planted_violation_is_found_by_its_check_alone(notebook: Any, check: str) -> None:
    assert broken(await lint(notebook)) == set()
    for planted in PLANTED[check]:
        await notebook.execute("savepoint holding")
        await notebook.execute(planted)
        found = await lint(notebook)
        await notebook.execute("rollback to holding")
        assert broken(found) == {check}, planted
        assert all(": " in finding.detail for finding in found[check]), "each finding says what to do"


async def test_server_without_the_fixes_is_found(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = int(await notebook.fetchval("show server_version_num"))
    for floors in ({number // 10_000: number % 10_000 + 1}, {number // 10_000 + 1: 0}):
        monkeypatch.setattr(server, "MINOR_FLOORS", floors)
        assert broken(await lint(notebook)) == {"server_is_patched"}


def test_every_check_has_its_planted_violation() -> None:
    assert {*PLANTED, "server_is_patched"} == set(CHECKS)


async def test_lists_name_only_what_exists(postgres_cluster: TestServer) -> None:
    async with connected(postgres_cluster.template) as connection:
        tables = await connection.fetch(
            "select to_regclass(name) is null as is_gone, name from unnest($1::text[]) name",
            [*lists.REFERENCE_DATA, *lists.GLOBAL_KEYS],
        )
        functions = await connection.fetch(
            "select to_regprocedure(name) is null as is_gone, name from unnest($1::text[]) name", [*lists.DEFINER_FUNCTIONS]
        )
        references = await connection.fetch(
            "select not exists (select from pg_constraint where conname = name) as is_gone, name from unnest($1::text[]) name",
            [*lists.COVERT_CHANNELS],
        )
    assert [row["name"] for row in (*tables, *functions, *references) if row["is_gone"]] == []


@pytest.fixture
def command_line(database: TestDatabase) -> list[str]:
    at, roles = database.administrator, database.server.passwords.file
    address = f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"
    return ["--storage", address, "--data-dir", str(roles.parent)]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        app.run(list(arguments))
    return int(end.value.code or 0)


def test_command_tells_what_it_found_and_ends_with_five(
    database: TestDatabase, command_line: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command_line, "db", "lint") == Exit.OK
    assert capsys.readouterr().out == "all 16 checks hold\n"
    run_apart(_open_the_keys(database))
    assert run(*command_line, "db", "lint") == Exit.CHECK_FAILED
    out, err = capsys.readouterr()
    assert "row_level_security_is_forced\tpublic.api_keys\tits rows are open" in out
    assert err == "error: 1 of 16 checks do not hold: row_level_security_is_forced\n"
    assert run(*command_line, "--json", "db", "lint") == Exit.CHECK_FAILED
    told = json.loads(capsys.readouterr().out)
    assert [name for name, holds in told["checks"].items() if not holds] == ["row_level_security_is_forced"]
    assert [finding["where"] for finding in told["findings"]] == ["public.api_keys"]


async def _open_the_keys(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        await connection.execute("alter table public.api_keys disable row level security")
