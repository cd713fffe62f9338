"""The PostgreSQL adapters keep every contract of the storage ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.accounts import PostgresAccountLookup
from adapters.postgres.auth.audit import PostgresAuditTrail
from adapters.postgres.auth.keys import PostgresApiKeyLookup, PostgresAuthUnits, PostgresTicketStore
from adapters.postgres.auth.rights import PostgresRightsFeed
from adapters.postgres.auth.sessions import PostgresSessionArchive, PostgresSessionLookup
from adapters.postgres.candles import PostgresCandleStore
from adapters.postgres.connect import connected
from adapters.postgres.ml import PostgresMlQueries, PostgresMlUnits
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.tables.columns import METADATA
from adapters.postgres.tables.platform import inbox
from adapters.postgres.trading import PostgresTradingQueries, PostgresTradingUnits
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.auth import events as auth_events
from tradingcore.kernel.codec import EventCodec
from tradingcore.ml import events as ml_events
from tradingcore.testing.auth.accounts import AccountLookupContract, AccountUnitOfWorkContract
from tradingcore.testing.auth.audit import AuditTrailContract
from tradingcore.testing.auth.keys import ApiKeyLookupContract, AuthUnitOfWorkContract, TicketStoreContract
from tradingcore.testing.auth.session_lookups import RightsFeedContract, SessionArchiveContract, SessionLookupContract
from tradingcore.testing.auth.sessions import SessionUnitOfWorkContract
from tradingcore.testing.candles import CandleStoreContract
from tradingcore.testing.fakes import SequentialIds
from tradingcore.testing.ml import MlQueriesContract, MlUnitOfWorkContract
from tradingcore.testing.outbox import InboxContract, OutboxContract
from tradingcore.testing.trading import TradingQueriesContract, TradingUnitOfWorkContract
from tradingcore.trading import events as trading_events

assert inbox.metadata is METADATA, "importing it fills the metadata"

CODEC = EventCodec((*auth_events.EVENTS, *ml_events.EVENTS, *trading_events.EVENTS))


@pytest_asyncio.fixture
async def database(shared_database: TestDatabase) -> TestDatabase:
    async with connected(shared_database.administrator) as connection:
        await connection.execute(f"truncate {', '.join(map(str, METADATA.tables))} restart identity cascade")
    return shared_database


@pytest_asyncio.fixture
async def opened_outbox(system_engine: AsyncEngine) -> AsyncIterator[PostgresOutbox]:
    outbox = PostgresOutbox(system_engine, CODEC)
    yield outbox
    await outbox.close()


@pytest_asyncio.fixture
async def followed_feed(api_engine: AsyncEngine, system_engine: AsyncEngine) -> AsyncIterator[PostgresRightsFeed]:
    feed = PostgresRightsFeed(api_engine, listening=system_engine)
    yield feed
    await feed.close()


class PostgresFixtures:
    @pytest.fixture
    def outbox(self, opened_outbox: PostgresOutbox) -> PostgresOutbox:
        return opened_outbox


class TradingFixtures(PostgresFixtures):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresTradingUnits:
        return PostgresTradingUnits(worker_engine, CODEC, SequentialIds())

    @pytest.fixture
    def queries(self, api_engine: AsyncEngine) -> PostgresTradingQueries:
        return PostgresTradingQueries(api_engine)

    @pytest.fixture
    def store(self, worker_engine: AsyncEngine) -> PostgresCandleStore:
        return PostgresCandleStore(worker_engine)


class MlFixtures(PostgresFixtures):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresMlUnits:
        return PostgresMlUnits(worker_engine, CODEC, SequentialIds())

    @pytest.fixture
    def queries(self, api_engine: AsyncEngine) -> PostgresMlQueries:
        return PostgresMlQueries(api_engine)


class AuthFixtures(PostgresFixtures):
    @pytest.fixture
    def units(self, worker_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(worker_engine, CODEC, SequentialIds(), SEALER)

    @pytest.fixture
    def units_of_users(self, api_engine: AsyncEngine) -> PostgresAuthUnits:
        return PostgresAuthUnits(api_engine, CODEC, SequentialIds(), SEALER)


class TestPostgresTradingUnits(TradingFixtures, TradingUnitOfWorkContract):
    pass


class TestPostgresTradingQueries(TradingFixtures, TradingQueriesContract):
    pass


class TestPostgresCandleStore(TradingFixtures, CandleStoreContract):
    pass


class TestPostgresMlUnits(MlFixtures, MlUnitOfWorkContract):
    pass


class TestPostgresMlQueries(MlFixtures, MlQueriesContract):
    pass


class TestPostgresAuthUnits(AuthFixtures, AuthUnitOfWorkContract):
    pass


class TestPostgresAccountUnits(AuthFixtures, AccountUnitOfWorkContract):
    pass


class TestPostgresAccountLookup(AuthFixtures, AccountLookupContract):
    @pytest.fixture(params=["api", "worker"])
    def lookup(self, request: pytest.FixtureRequest, api_engine: AsyncEngine, worker_engine: AsyncEngine) -> PostgresAccountLookup:
        return PostgresAccountLookup(api_engine if request.param == "api" else worker_engine, SEALER)


class TestPostgresSessionUnits(AuthFixtures, SessionUnitOfWorkContract):
    pass


class TestPostgresSessionLookup(AuthFixtures, SessionLookupContract):
    @pytest.fixture
    def lookup(self, api_engine: AsyncEngine) -> PostgresSessionLookup:
        return PostgresSessionLookup(api_engine)


class TestPostgresSessionArchive(AuthFixtures, SessionArchiveContract):
    @pytest.fixture
    def archive(self, worker_engine: AsyncEngine) -> PostgresSessionArchive:
        return PostgresSessionArchive(worker_engine)


class TestPostgresRightsFeed(AuthFixtures, RightsFeedContract):
    @pytest.fixture
    def keeper(self, worker_engine: AsyncEngine) -> PostgresRightsFeed:
        return PostgresRightsFeed(worker_engine, listening=worker_engine)

    @pytest.fixture
    def feed(self, followed_feed: PostgresRightsFeed) -> PostgresRightsFeed:
        return followed_feed


class TestPostgresAuditTrail(AuthFixtures, AuditTrailContract):
    @pytest.fixture
    def trail(self, api_engine: AsyncEngine) -> PostgresAuditTrail:
        return PostgresAuditTrail(api_engine)


class TestPostgresApiKeyLookup(AuthFixtures, ApiKeyLookupContract):
    @pytest.fixture
    def lookup(self, api_engine: AsyncEngine) -> PostgresApiKeyLookup:
        return PostgresApiKeyLookup(api_engine)


class TestPostgresTicketStore(TicketStoreContract):
    @pytest.fixture
    def tickets(self, api_engine: AsyncEngine) -> PostgresTicketStore:
        return PostgresTicketStore(api_engine)


class TestPostgresOutbox(TradingFixtures, OutboxContract):
    @pytest.fixture
    def dead_letters(self, outbox: PostgresOutbox) -> PostgresOutbox:
        return outbox


class TestPostgresInbox(TradingFixtures, InboxContract):
    @pytest.fixture
    def inbox(self, outbox: PostgresOutbox) -> PostgresOutbox:
        return outbox
