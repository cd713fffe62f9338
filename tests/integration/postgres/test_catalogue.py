"""Rights that no table may hand out, also those that do not exist yet. What policies must hold is in `tradingcore db lint`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from adapters.postgres.connect import connected
from adapters.postgres.roles import SCHEMAS
from tests.integration.postgres.server import TestServer


@pytest_asyncio.fixture
async def catalogue(postgres_cluster: TestServer) -> AsyncIterator[Any]:
    async with connected(postgres_cluster.template) as connection:
        yield connection


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


async def test_nobody_uses_a_schema_by_being_somebody(catalogue: Any) -> None:
    rows = await catalogue.fetch(
        """
        select n.nspname from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) acl
        where n.nspname = any($1::text[]) and acl.grantee = 0
        """,
        list(SCHEMAS),
    )
    assert rows == []
