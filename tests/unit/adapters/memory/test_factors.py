"""Second factors in memory keep the contracts of their ports."""

from __future__ import annotations

import pytest

from adapters.memory.auth.factors import MemoryFactorLookup
from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.auth.passkeys import MemoryPasskeyLookup
from adapters.memory.database import MemoryDatabase
from tradingcore.kernel.authz import UserId
from tradingcore.testing.auth.challenges import ChallengesContract, TrustedDevicesContract
from tradingcore.testing.auth.factors import BackupCodesContract, NewUser, TotpFactorsContract
from tradingcore.testing.auth.passkeys import PasskeysContract
from tradingcore.testing.builders import an_id
from tradingcore.testing.fakes import FakeClock, SequentialIds


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(FakeClock())


class MemoryFixtures:
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryAuthUnits:
        return MemoryAuthUnits(database, SequentialIds())

    @pytest.fixture
    def new_user(self) -> NewUser:
        async def new_user() -> UserId:
            return UserId(an_id())

        return new_user

    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemoryFactorLookup:
        return MemoryFactorLookup(database)


class TestMemoryTotpFactors(MemoryFixtures, TotpFactorsContract):
    pass


class TestMemoryBackupCodes(MemoryFixtures, BackupCodesContract):
    pass


class TestMemoryChallenges(MemoryFixtures, ChallengesContract):
    pass


class TestMemoryTrustedDevices(MemoryFixtures, TrustedDevicesContract):
    pass


class TestMemoryPasskeys(MemoryFixtures, PasskeysContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> MemoryPasskeyLookup:
        return MemoryPasskeyLookup(database)
