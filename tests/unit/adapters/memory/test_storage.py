"""The memory adapters keep every contract of the storage ports."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.memory.auth.accounts import MemoryAccountLookup
from adapters.memory.auth.audit import MemoryAuditTrail
from adapters.memory.auth.keys import MemoryApiKeyLookup, MemoryAuthUnits, MemoryTicketStore
from adapters.memory.auth.rights import MemoryRightsFeed
from adapters.memory.auth.sessions import MemorySessionArchive, MemorySessionLookup
from adapters.memory.blobs import MemoryBlobStore
from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.ml import MemoryMlQueries, MemoryMlUnits
from adapters.memory.outbox import MemoryOutbox
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tradingcore.testing.auth.accounts import AccountLookupContract, AccountUnitOfWorkContract
from tradingcore.testing.auth.audit import AuditTrailContract
from tradingcore.testing.auth.keys import ApiKeyLookupContract, AuthUnitOfWorkContract, TicketStoreContract
from tradingcore.testing.auth.session_lookups import RightsFeedContract, SessionArchiveContract, SessionLookupContract
from tradingcore.testing.auth.sessions import SessionUnitOfWorkContract
from tradingcore.testing.candles import CandleStoreContract
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.ml import BlobStoreContract, MlQueriesContract, MlUnitOfWorkContract
from tradingcore.testing.outbox import InboxContract, OutboxContract
from tradingcore.testing.trading import TradingQueriesContract, TradingUnitOfWorkContract


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(clock: FakeClock) -> MemoryDatabase:
    return MemoryDatabase(clock)


class MemoryFixtures:
    @pytest.fixture
    def outbox(self, database: MemoryDatabase) -> MemoryOutbox:
        return MemoryOutbox(database)


class TradingFixtures(MemoryFixtures):
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryTradingUnits:
        return MemoryTradingUnits(database, SequentialIds())

    @pytest.fixture
    def queries(self, database: MemoryDatabase) -> MemoryTradingQueries:
        return MemoryTradingQueries(database)

    @pytest.fixture
    def store(self, database: MemoryDatabase) -> MemoryCandleStore:
        return MemoryCandleStore(database)


class MlFixtures(MemoryFixtures):
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryMlUnits:
        return MemoryMlUnits(database, SequentialIds())

    @pytest.fixture
    def queries(self, database: MemoryDatabase) -> MemoryMlQueries:
        return MemoryMlQueries(database)


class AuthFixtures(MemoryFixtures):
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryAuthUnits:
        return MemoryAuthUnits(database, SequentialIds())


class TestMemoryTradingUnits(TradingFixtures, TradingUnitOfWorkContract):
    pass


class TestMemoryTradingQueries(TradingFixtures, TradingQueriesContract):
    pass


class TestMemoryCandleStore(TradingFixtures, CandleStoreContract):
    pass


class TestMemoryMlUnits(MlFixtures, MlUnitOfWorkContract):
    pass


class TestMemoryMlQueries(MlFixtures, MlQueriesContract):
    pass


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self) -> MemoryBlobStore:
        return MemoryBlobStore()


class TestMemoryAuthUnits(AuthFixtures, AuthUnitOfWorkContract):
    pass


class TestMemoryAccountUnits(AuthFixtures, AccountUnitOfWorkContract):
    pass


class TestMemoryAccountLookup(AuthFixtures, AccountLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemoryAccountLookup:
        return MemoryAccountLookup(database)


class TestMemorySessionUnits(AuthFixtures, SessionUnitOfWorkContract):
    pass


class TestMemorySessionLookup(AuthFixtures, SessionLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemorySessionLookup:
        return MemorySessionLookup(database)


class TestMemorySessionArchive(AuthFixtures, SessionArchiveContract):
    @pytest.fixture
    def archive(self, database: MemoryDatabase) -> MemorySessionArchive:
        return MemorySessionArchive(database)


class TestMemoryRightsFeed(AuthFixtures, RightsFeedContract):
    @pytest.fixture
    def feed(self, database: MemoryDatabase) -> MemoryRightsFeed:
        return MemoryRightsFeed(database)


class TestMemoryAuditTrail(AuthFixtures, AuditTrailContract):
    @pytest.fixture
    def trail(self, database: MemoryDatabase) -> MemoryAuditTrail:
        return MemoryAuditTrail(database)


class TestMemoryApiKeyLookup(AuthFixtures, ApiKeyLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemoryApiKeyLookup:
        return MemoryApiKeyLookup(database)


class TestMemoryTicketStore(TicketStoreContract):
    @pytest.fixture
    def tickets(self, database: MemoryDatabase) -> MemoryTicketStore:
        return MemoryTicketStore(database)


class TestMemoryOutbox(TradingFixtures, OutboxContract):
    @pytest.fixture
    def dead_letters(self, outbox: MemoryOutbox) -> MemoryOutbox:
        return outbox

    @pytest.fixture(autouse=True)
    def _time(self, clock: FakeClock) -> None:
        self.clock = clock

    async def elapse(self, time: timedelta) -> None:
        self.clock.advance(time)


class TestMemoryInbox(TradingFixtures, InboxContract):
    @pytest.fixture
    def inbox(self, outbox: MemoryOutbox) -> MemoryOutbox:
        return outbox

    @pytest.fixture(autouse=True)
    def _time(self, clock: FakeClock) -> None:
        self.clock = clock

    async def elapse(self, time: timedelta) -> None:
        self.clock.advance(time)
