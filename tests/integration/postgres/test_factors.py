"""Second factors in PostgreSQL keep the contracts of their ports; their secrets never lie open, and no policy can be weakened."""

from __future__ import annotations

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.factors import PostgresFactorLookup
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.auth.passkeys import PostgresPasskeyLookup
from adapters.postgres.connect import connected
from adapters.postgres.rows.auth.factors import secret_cell
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth import events
from tradingcore.auth.errors import Unsealable
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.codec import EventCodec
from tradingcore.testing.auth.builders import an_account
from tradingcore.testing.auth.challenges import ChallengesContract, TrustedDevicesContract
from tradingcore.testing.auth.factors import (
    SECRET,
    BackupCodesContract,
    NewUser,
    TotpFactorsContract,
    a_totp_factor,
    the_owner,
)
from tradingcore.testing.auth.passkeys import PasskeysContract
from tradingcore.testing.builders import an_actor
from tradingcore.testing.fakes import SequentialIds

CODEC = EventCodec(events.EVENTS)


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    return shared_database


IDS = SequentialIds(start=1 << 40)


class PostgresFixtures:
    @pytest.fixture
    def units(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, CODEC, IDS, SEALER)

    @pytest.fixture
    def new_user(self, worker_engine: AsyncEngine) -> NewUser:
        async def new_user() -> UserId:
            account = an_account()
            async with PostgresAuthUnits(worker_engine, CODEC, IDS, SEALER)(an_actor()) as unit:
                await unit.accounts.save(account)
            return account.id

        return new_user

    @pytest.fixture
    def lookup(self, api_engine: AsyncEngine) -> PostgresFactorLookup:
        return PostgresFactorLookup(api_engine)


class TestPostgresTotpFactors(PostgresFixtures, TotpFactorsContract):
    async def test_secret_lies_sealed(self, units: PostgresAuthUnits, new_user: NewUser, database: TestDatabase) -> None:
        user_id, other = await new_user(), await new_user()
        for owner in (user_id, other):
            async with units(the_owner(owner)) as unit:
                await unit.totp_factors.enrol(a_totp_factor(owner), SECRET)
        async with connected(database.administrator) as connection:
            stored = await connection.fetchval("select secret_sealed from public.totp_factors where user_id = $1", user_id)
            assert SECRET not in stored
            # Moved to another user's row, it does not open.
            await connection.execute("update public.totp_factors set secret_sealed = $1 where user_id = $2", stored, other)
        async with units(the_owner(other)) as unit:
            with pytest.raises(Unsealable):
                await unit.totp_factors.secret_of(other)
        async with units(the_owner(user_id)) as unit:
            key = await unit.data_keys.of(user_id)
        assert SEALER.open(key, stored, about=secret_cell(user_id)) == SECRET
        with pytest.raises(Unsealable):
            SEALER.open(key, stored, about=secret_cell(other))


class TestPostgresBackupCodes(PostgresFixtures, BackupCodesContract):
    pass


class TestPostgresChallenges(PostgresFixtures, ChallengesContract):
    pass


class TestPostgresTrustedDevices(PostgresFixtures, TrustedDevicesContract):
    pass


class TestPostgresPasskeys(PostgresFixtures, PasskeysContract):
    @pytest.fixture
    def lookup(self, api_engine: AsyncEngine) -> PostgresPasskeyLookup:
        return PostgresPasskeyLookup(api_engine)
