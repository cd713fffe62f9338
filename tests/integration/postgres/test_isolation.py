"""Goals G2 and G3: nobody reaches a foreign row in any way, and no policy can be weakened without that showing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import perf_counter

import pytest
import pytest_asyncio

from adapters.postgres.connect import connected
from adapters.postgres.engine import driver_of, transaction
from adapters.postgres.roles import SCHEMAS, DatabaseRole
from adapters.postgres.unit import NOBODY
from tests.asvs import asvs
from tests.integration.postgres.isolation.mutations import Mutation, mutations
from tests.integration.postgres.isolation.runner import make_generous, oracle, told
from tests.integration.postgres.isolation.tables import HANDS, OWNED
from tests.integration.postgres.server import TestDatabase, TestServer

SEED = 20261125
PROBES_OF_A_MUTANT = 1000
DRAWS = 4


async def test_every_owned_table_is_in_the_model(postgres_cluster: TestServer) -> None:
    async with connected(postgres_cluster.template) as connection:
        tables = await connection.fetch(
            "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relrowsecurity and n.nspname = any ($1::text[])",
            list(SCHEMAS),
        )
        settings = await connection.fetch(
            "select distinct m[1] as name from pg_policies, regexp_matches(concat(qual, with_check), '''app\\.(\\w+)''', 'g') m"
        )
    assert {row["name"] for row in tables} == set(OWNED)
    assert {row["name"] for row in settings} - {"user_id", "scopes", "request_id"} == set(HANDS)


@asvs("8.4.1")
async def test_nobody_reaches_a_foreign_row(database: TestDatabase) -> None:
    """The small dose of G2."""
    await make_generous(database)
    async with oracle(database) as asked:
        for number in range(6):
            found = await asked.disagreements(SEED + number, 500)
            assert not found, told(found)


@asvs("16.4.2")
async def test_auditor_reads_the_whole_trail_and_nothing_else(database: TestDatabase) -> None:
    async with connected(database.administrator) as administrator:
        await administrator.execute(
            "insert into audit.events (id, type, actor_name, trace_id, facts) values (gen_random_uuid(), 'x', 'y', 'z', '{}')"
        )
    engine = database.engine(DatabaseRole.AUDIT)
    try:
        async with transaction(engine, NOBODY) as connection:
            assert await driver_of(connection).fetchval("select count(*) from audit.events") == 1
            rights = await driver_of(connection).fetch(
                "select table_schema || '.' || table_name as name, privilege_type from information_schema.role_table_grants"
            )
    finally:
        await engine.dispose()
    assert [tuple(row) for row in rights] == [("audit.events", "SELECT")]


@pytest_asyncio.fixture
async def generous(database: TestDatabase) -> TestDatabase:
    await make_generous(database)
    return database


async def unnoticed(original: TestDatabase, planted: Sequence[Mutation]) -> list[str]:
    """Those of the mutations that probes of their table do not notice, each in a copy of its own."""
    survivors = []
    for mutation in planted:
        copy = await original.server.create_database(template=original.administrator.database)
        async with connected(copy.administrator) as administrator:
            await administrator.execute(f"set role tc_owner; {mutation.sql}")
        async with oracle(copy) as asked:
            only = {"tables": [mutation.table], "role": mutation.role}
            # Probes are drawn: a rare one, such as moving a row without reading any, may take another draw.
            for draw in range(DRAWS):
                if await asked.disagreements(SEED + draw, PROBES_OF_A_MUTANT, users=4, until_first=True, **only):
                    break
            else:
                survivors.append(mutation.name)
        await original.server.drop_database(copy)
    return survivors


async def mutations_of(database: TestDatabase) -> list[Mutation]:
    async with connected(database.administrator) as administrator:
        return await mutations(administrator)


async def test_weakened_policy_is_noticed(generous: TestDatabase) -> None:
    """The small dose of G3: one of every 24 mutations."""
    planted = (await mutations_of(generous))[::24]
    assert len(planted) >= 8
    assert await unnoticed(generous, planted) == []


@pytest.mark.campaign
@pytest.mark.timeout(3000)
async def test_nobody_reaches_a_foreign_row_in_a_hundred_thousand_probes(generous: TestDatabase) -> None:
    begun, worlds, probes, failures = perf_counter(), 100, 1000, 0
    async with oracle(generous) as asked:
        for number in range(worlds):
            failures += len(await asked.disagreements(SEED + number, probes))
    report("G2", n=worlds * probes, failures=failures, begun=begun)
    assert failures == 0


@pytest.mark.campaign
@pytest.mark.timeout(3000)
async def test_every_weakened_policy_is_noticed(generous: TestDatabase) -> None:
    begun, planted = perf_counter(), await mutations_of(generous)
    survivors = await unnoticed(generous, planted)
    report("G3", n=len(planted), failures=len(survivors), begun=begun)
    assert survivors == []


def report(goal: str, *, n: int, failures: int, begun: float) -> None:
    seconds = round(perf_counter() - begun)
    print(json.dumps({"id": goal, "n": n, "failures": failures, "seed": SEED, "seconds": seconds}), flush=True)
