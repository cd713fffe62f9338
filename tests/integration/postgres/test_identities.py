from __future__ import annotations

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.identities import PostgresIdentityLookup
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.connect import connected
from adapters.postgres.tables.columns import METADATA
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.events import EVENTS
from tradingcore.kernel.codec import EventCodec
from tradingcore.testing.auth.identities import (
    IdentityLookupContract,
    IdentityRepositoryContract,
    OAuthFlowRepositoryContract,
    Units,
    an_identity,
    stored_account,
)
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import SequentialIds

CODEC = EventCodec(EVENTS)


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {', '.join(map(str, METADATA.tables))} restart identity cascade")
    return shared_database


class PostgresFixtures:
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)

    @pytest.fixture
    def units_of_users(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, CODEC, SequentialIds(), SEALER)


class TestPostgresIdentities(PostgresFixtures, IdentityRepositoryContract):
    async def test_what_the_provider_said_lies_sealed(self, units: Units, database: TestDatabase) -> None:
        account = await stored_account(units)
        identity = an_identity(account, subject="subject-in-the-clear", name="Name In The Clear")
        async with units(an_actor()) as unit:
            await unit.identities.save(identity)
        async with connected(database.administrator) as connection:
            rows = await connection.fetch("select i::text as row from public.identities i")
        text = rows[0]["row"].lower()
        for secret in ("subject-in-the-clear", "name in the clear", str(identity.email)):
            assert secret.lower() not in text
            assert secret.encode().hex() not in text


class TestPostgresOAuthFlows(PostgresFixtures, OAuthFlowRepositoryContract):
    async def test_without_its_key_no_flow_is_seen(self, units_of_users: Units, api_engine: AsyncEngine) -> None:
        await self.asked(units_of_users)
        async with api_engine.connect() as connection:
            assert (await connection.exec_driver_sql("select count(*) from public.oauth_flows")).scalar_one() == 0


class TestPostgresIdentityLookup(PostgresFixtures, IdentityLookupContract):
    @pytest.fixture(params=["api", "worker"])
    def lookup(self, request: pytest.FixtureRequest, api_engine: AsyncEngine, worker_engine: AsyncEngine) -> PostgresIdentityLookup:
        return PostgresIdentityLookup(api_engine if request.param == "api" else worker_engine, SEALER)
