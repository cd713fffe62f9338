"""The tables that the adapters name are those that the migrations make."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from asyncpg import CheckViolationError
from sqlalchemy import Connection, text

from adapters.postgres import tables
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.tables import auth, ml, platform, trading
from adapters.postgres.tables.columns import METADATA
from tests.integration.postgres.server import TestDatabase

NOT_OURS = {"alembic_version", "heartbeat", "stream_epoch", "stream_topics", "stream_entries"}
"""Tables that are only spoken to in SQL of their own."""

assert {auth, ml, platform, trading, tables}, "importing them fills the metadata"


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
