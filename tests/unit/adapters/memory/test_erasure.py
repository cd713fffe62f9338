from __future__ import annotations

import pytest

from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.database import MemoryDatabase
from tradingcore.testing.auth.erasure import PersonalRecordsContract
from tradingcore.testing.fakes import FakeClock, SequentialIds


class TestMemoryPersonalRecords(PersonalRecordsContract):
    @pytest.fixture
    def units(self) -> MemoryAuthUnits:
        return MemoryAuthUnits(MemoryDatabase(FakeClock()), SequentialIds())
