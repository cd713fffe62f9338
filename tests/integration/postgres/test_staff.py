from __future__ import annotations

import pytest
import pytest_asyncio
from asyncpg import CheckViolationError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.directory import PostgresUserDirectory
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.connect import connected
from adapters.postgres.tables.columns import METADATA
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth.events import EVENTS
from tradingcore.kernel.codec import EventCodec
from tradingcore.testing.auth.directory import UserDirectoryContract
from tradingcore.testing.auth.proposals import ProposalRepositoryContract, Units, a_proposal, a_superadmin
from tradingcore.testing.fakes import SequentialIds

CODEC = EventCodec(EVENTS)


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {', '.join(map(str, METADATA.tables))} restart identity cascade")
    return shared_database


class TestPostgresUserDirectory(UserDirectoryContract):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)

    @pytest.fixture
    def directory(self, api_engine: AsyncEngine) -> PostgresUserDirectory:
        return PostgresUserDirectory(api_engine, SEALER)


class TestPostgresProposals(ProposalRepositoryContract):
    @pytest.fixture
    def units(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, CODEC, SequentialIds(), SEALER)

    @pytest.fixture
    def platform_units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)

    async def test_the_table_itself_knows_the_rule(self, units: Units, database: TestDatabase) -> None:
        me = a_superadmin()
        async with units(me) as unit:
            proposal = await unit.proposals.save(a_proposal(me.user_id))
        forge = "update public.proposals set outcome = 'approved', decided_at = now(), decided_by = "
        async with connected(database.administrator) as administrator:
            for forger in ("proposed_by", "subject_id"):
                with pytest.raises(CheckViolationError):
                    await administrator.execute(f"{forge}{forger} where id = $1", proposal.id)
