from __future__ import annotations

import pytest

from adapters.memory.auth.directory import MemoryUserDirectory
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.database import MemoryDatabase
from tradingcore.testing.auth.directory import UserDirectoryContract
from tradingcore.testing.auth.proposals import ProposalRepositoryContract
from tradingcore.testing.fakes import FakeClock, SequentialIds


class StaffFixtures:
    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase(FakeClock())

    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryAuthUnits:
        return MemoryAuthUnits(database, SequentialIds())


class TestMemoryUserDirectory(StaffFixtures, UserDirectoryContract):
    @pytest.fixture
    def directory(self, database: MemoryDatabase) -> MemoryUserDirectory:
        return MemoryUserDirectory(database)


class TestMemoryProposals(StaffFixtures, ProposalRepositoryContract):
    pass
