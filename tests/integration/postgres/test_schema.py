"""The tables that the adapters name are those that the migrations make."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from asyncpg import CheckViolationError
from sqlalchemy import Connection, text

from adapters.postgres import tables
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.tables.columns import METADATA
from tests.asvs import asvs
from tests.integration.postgres.server import TestDatabase

NOT_OURS = {"alembic_version", "heartbeat", "stream_epoch", "stream_topics", "stream_entries", "throttle_counters"}
"""Tables that are only spoken to in SQL of their own."""

for _module in walk_packages(tables.__path__, f"{tables.__name__}."):
    import_module(_module.name)  # which fills the metadata


def _differences(connection: Connection) -> list[Any]:
    def is_named(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name not in NOT_OURS

    # Names of the schema public come out in full only when it is nobody's default.
    connection.execute(text("set search_path to pg_catalog"))
    connection.dialect.default_schema_name = "pg_catalog"
    context = MigrationContext.configure(
        connection, opts={"include_schemas": True, "include_name": is_named, "compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, METADATA))


async def test_metadata_and_migrated_schema_are_the_same(database: TestDatabase) -> None:
    engine = create_engine(database.administrator, EngineSettings(application="test", pool_size=1))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
            await connection.execute(text("alter table trading.decisions drop column detail"))
            (found,) = await connection.run_sync(_differences)
            assert found[0] == "add_column"
    finally:
        await engine.dispose()


@asvs("6.3.2")
async def test_fresh_installation_has_no_account_and_no_key(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        for table in ("public.user_accounts", "public.api_keys", "public.sessions"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0


_NO_CANDLES = (
    "1, 2, 0, 1, 1",
    "1, 2, 1.5, 1, 1",
    "1, 0.5, 0.5, 1, 1",
    "1, 2, 1, 1, -1",
    "1, 'NaN', 1, 1, 1",
    "1, 'infinity', 1, 1, 1",
    "1, 2, 1, 'NaN', 1",
    "1, 2, 1, 1, 'NaN'",
)


async def test_table_refuses_what_is_no_candle(database: TestDatabase) -> None:
    async with connected(database.administrator) as connection:
        for numbers in _NO_CANDLES:
            with pytest.raises(CheckViolationError):
                await connection.execute(f"insert into trading.candles values (1, '1h', '2026-03-02', {numbers})")
        await connection.execute("insert into trading.candles values (1, '1h', '2026-03-02', 1, 2, 1, 1, 0)")


_READ = "select"
_RIGHTS = {
    "tc_api": {
        **dict.fromkeys(
            ("trading.symbols", "trading.candles", "trading.live_series", "trading.signals", "trading.decisions"), _READ
        ),
        **dict.fromkeys(("ml.models", "ml.model_versions", "ml.aliases", "ml.forecasts"), _READ),
        "public.api_keys": "insert select update(last_used_at,revoked_at,version)",
        "public.proposals": "insert select update(decided_at,decided_by,outcome,version)",
        "public.stream_tickets": "delete insert select",
        **dict.fromkeys(("public.identities", "public.oauth_flows"), "delete insert select"),
        **dict.fromkeys(
            ("public.user_accounts", "public.sessions", "public.refresh_tokens", "public.one_time_tokens"), "insert select update"
        ),
        "public.data_keys": "delete insert select",
        "public.rights_changes": "insert select",
        "public.totp_factors": "delete insert select update(confirmed_at,created_at,last_step,secret_sealed)",
        "public.backup_codes": "delete insert select update(used_at)",
        "public.challenges": "delete insert select update(attempts,closed_at)",
        "public.trusted_devices": "delete insert select update(revoked_at)",
        "public.passkeys": "delete insert select update(label,last_used_at,sign_count)",
        "public.spent_passkey_tokens": "delete insert select",
        "public.outbox": "insert",
        "audit.events": "insert select",
        "public.phones": "delete insert select update(channel,confirmed_at,number_index,number_sealed)",
        "public.phone_proofs": "delete insert select update(attempts,closed_at,reference)",
        "public.phone_sends": "delete insert select update(converted_at,reference,state)",
        "public.phone_blocks": "insert select update(closed_until)",
        "public.phone_switch": "select",
    },
    "tc_worker": {
        **dict.fromkeys(("trading.symbols", "trading.candles", "trading.live_series", "ml.models"), "insert select update"),
        "trading.candle_staging": "delete insert select",
        "trading.signals": "delete insert select update",
        "trading.decisions": "delete insert select",
        "ml.model_versions": "insert select",
        "ml.aliases": "delete insert select update",
        "ml.alias_history": "insert",
        "ml.forecasts": "delete insert select",
        "public.outbox": "insert",
        "public.inbox": "insert select",
        **dict.fromkeys(("public.identities", "public.oauth_flows"), "delete insert select update"),
        "public.api_keys": "insert select update",
        "public.proposals": "insert select update",
        **dict.fromkeys(
            ("public.user_accounts", "public.sessions", "public.refresh_tokens", "public.one_time_tokens", "public.data_keys"),
            "delete insert select update",
        ),
        "public.rights_changes": "delete insert select",
        "public.spent_passkey_tokens": "delete insert select update",
        **dict.fromkeys(
            ("public.totp_factors", "public.backup_codes", "public.challenges", "public.trusted_devices", "public.passkeys"),
            "delete insert select update",
        ),
        **dict.fromkeys(("public.phones", "public.phone_proofs"), "delete insert select update"),
        "public.phone_sends": "delete insert select update(converted_at,reference,state)",
        "public.phone_blocks": "insert select update(closed_until)",
        "public.phone_switch": "insert select update(is_stopped)",
        "audit.events": "insert select",
    },
    "tc_audit": {"audit.events": "select"},
    "tc_system": {
        "public.outbox": (
            "delete insert(committed_at,id,ordering_key,payload,trace_id,type)"
            " select(attempts,free_at,id,ordering_key,payload,sequence,token,trace_id,type) update(attempts,error,free_at,token)"
        ),
        "public.dead_letters": (
            "delete insert(attempts,error,id,ordering_key,parked_at,payload,trace_id,type)"
            " select(attempts,error,id,ordering_key,parked_at,payload,trace_id,type)"
        ),
        "public.inbox": "delete select(handled_at)",
    },
}
"""What each role may do with the tables of the contexts: a change here is a change of who can be trusted with what."""

_GRANTED = """
    select role, name, string_agg(distinct granted, ' ' order by granted) as rights from (
        select grantee as role, table_schema || '.' || table_name as name, lower(privilege_type) as granted
        from information_schema.table_privileges
        union all
        select p.grantee, p.table_schema || '.' || p.table_name,
            lower(p.privilege_type) || '(' || string_agg(p.column_name, ',' order by p.column_name) || ')'
        from information_schema.column_privileges p
        where not exists (select from information_schema.table_privileges t where t.grantee = p.grantee
            and (t.table_schema, t.table_name, t.privilege_type) = (p.table_schema, p.table_name, p.privilege_type))
        group by p.grantee, p.table_schema, p.table_name, p.privilege_type
    ) as every where name = any ($1) group by role, name
"""


@asvs("13.2.2", "16.4.2")
async def test_each_role_may_do_exactly_what_is_listed(database: TestDatabase) -> None:
    granted: dict[str, dict[str, str]] = {}
    async with connected(database.administrator) as connection:
        for row in await connection.fetch(_GRANTED, list(METADATA.tables)):
            granted.setdefault(row["role"], {})[row["name"]] = row["rights"]
    granted.pop("tc_owner")
    assert granted == _RIGHTS
