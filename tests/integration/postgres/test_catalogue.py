"""Walks the catalogue of the migrated database: what must hold for every table, also for those that do not exist yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from adapters.postgres.connect import connected
from adapters.postgres.roles import SCHEMAS
from tests.integration.postgres.server import TestServer

_OWNER_COLUMNS = ["user_id", "owner_id"]
_TABLES = """
    select c.oid, c.oid::regclass::text as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
        exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = any($2::text[]) and not a.attisdropped) as owned
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any($1::text[]) and c.relkind in ('r', 'p')
"""


@pytest_asyncio.fixture
async def catalogue(postgres_cluster: TestServer) -> AsyncIterator[Any]:
    async with connected(postgres_cluster.template) as connection:
        yield connection


async def test_every_table_with_an_owner_has_forced_row_level_security(catalogue: Any) -> None:
    tables = await catalogue.fetch(_TABLES, list(SCHEMAS), _OWNER_COLUMNS)
    assert len(tables) > 1
    owned = [row for row in tables if row["owned"]]
    assert [row["name"] for row in owned if not (row["enabled"] and row["forced"])] == []


async def test_row_level_security_is_never_enabled_without_force_or_policy(catalogue: Any) -> None:
    tables = await catalogue.fetch(_TABLES, list(SCHEMAS), _OWNER_COLUMNS)
    policed = {row["polrelid"] for row in await catalogue.fetch("select polrelid from pg_policy")}
    assert [row["name"] for row in tables if row["enabled"] != row["forced"]] == []
    assert [row["name"] for row in tables if row["enabled"] and row["oid"] not in policed] == []


async def test_every_policy_names_its_roles_and_checks_what_is_written(catalogue: Any) -> None:
    policies = await catalogue.fetch("select * from pg_policies where schemaname = any($1::text[])", list(SCHEMAS))
    for policy in policies:
        where = f"{policy['policyname']} on {policy['tablename']}"
        assert "public" not in policy["roles"], where
        assert policy["qual"] != "true", where
        assert policy["with_check"] != "true", where
        if policy["cmd"] in {"INSERT", "ALL", "UPDATE"}:
            assert policy["with_check"] is not None, where


async def test_each_role_and_command_has_one_permissive_policy_per_table(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select tablename, role, command, count(*) from pg_policies, unnest(roles) role,
            unnest(case cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] else array[cmd] end) command
        where permissive = 'PERMISSIVE' group by schemaname, tablename, role, command having count(*) > 1
        """
    )
    assert rows == []


async def test_policies_ask_for_the_context_once_per_statement(catalogue: Any) -> None:
    policies = await catalogue.fetch("select policyname, coalesce(qual, '') || coalesce(with_check, '') as rule from pg_policies")
    for policy in policies:
        asked, wrapped = policy["rule"].count("current_setting("), policy["rule"].count("( SELECT ")
        assert asked <= wrapped, f"{policy['policyname']} reads a setting outside a scalar sub-select"


async def test_nobody_but_the_owner_may_truncate_refer_or_trigger(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select table_schema, table_name, grantee, privilege_type from information_schema.role_table_grants
        where table_schema = any($1::text[]) and grantee <> 'tc_owner'
            and (privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER') or grantee = 'PUBLIC' or is_grantable = 'YES')
        """,
        list(SCHEMAS),
    )
    assert rows == []


async def test_nobody_runs_a_function_or_uses_a_schema_by_being_somebody(catalogue: Any) -> None:
    functions = await catalogue.fetch(
        """
        select f.oid::regprocedure from pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) acl
        where f.pronamespace::regnamespace::text = any($1::text[]) and acl.grantee = 0
        """,
        list(SCHEMAS),
    )
    schemas = await catalogue.fetch(
        """
        select n.nspname from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) acl
        where n.nspname = any($1::text[]) and acl.grantee = 0
        """,
        list(SCHEMAS),
    )
    assert functions == []
    assert schemas == []


async def test_definer_functions_fix_their_search_path(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select oid::regprocedure from pg_proc where pronamespace::regnamespace::text = any($1::text[]) and prosecdef
            and not exists (select from unnest(coalesce(proconfig, '{}')) setting where setting like 'search_path=%')
        """,
        list(SCHEMAS),
    )
    assert rows == []


async def test_policy_columns_are_indexed(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select a.attrelid::regclass::text as name, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace::regnamespace::text = any($1::text[]) and c.relkind in ('r', 'p') and a.attname = any($2::text[])
            and not exists (select from pg_index i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum)
        """,
        list(SCHEMAS),
        _OWNER_COLUMNS,
    )
    assert rows == []


async def test_every_foreign_key_is_indexed(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select k.conname from pg_constraint k where k.contype = 'f' and k.connamespace::regnamespace::text = any($1::text[])
            and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indkey[0] = any(k.conkey))
        """,
        list(SCHEMAS),
    )
    assert rows == []
