from __future__ import annotations

import pytest

from adapters.memory.auth.identities import MemoryIdentityLookup
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.database import MemoryDatabase
from tradingcore.testing.auth.identities import IdentityLookupContract, IdentityRepositoryContract, OAuthFlowRepositoryContract
from tradingcore.testing.fakes import FakeClock, SequentialIds


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(FakeClock())


class MemoryFixtures:
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryAuthUnits:
        return MemoryAuthUnits(database, SequentialIds())


class TestMemoryIdentities(MemoryFixtures, IdentityRepositoryContract):
    pass


class TestMemoryOAuthFlows(MemoryFixtures, OAuthFlowRepositoryContract):
    pass


class TestMemoryIdentityLookup(MemoryFixtures, IdentityLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemoryIdentityLookup:
        return MemoryIdentityLookup(database)
