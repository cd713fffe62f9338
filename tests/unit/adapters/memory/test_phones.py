from __future__ import annotations

from typing import Any

import pytest

from adapters.memory.auth.keys import MemoryAuthUnits
from adapters.memory.auth.phones import MemorySendLedger
from adapters.memory.database import MemoryDatabase
from tradingcore.auth.model.phone import DeliveryState
from tradingcore.auth.ports.phones import SendLedger
from tradingcore.testing.auth.phone_budgets import SendLedgerContract
from tradingcore.testing.auth.phones import PhoneUnitOfWorkContract
from tradingcore.testing.fakes import FakeClock, SequentialIds


class TestMemoryPhoneRepository(PhoneUnitOfWorkContract):
    @pytest.fixture
    def units(self) -> MemoryAuthUnits:
        return MemoryAuthUnits(MemoryDatabase(FakeClock()), SequentialIds())


class TestMemorySendLedger(SendLedgerContract):
    @pytest.fixture
    def ledger(self) -> SendLedger:
        return MemorySendLedger()

    async def state_of(self, ledger: Any, reference: str) -> DeliveryState:
        (state,) = [send.state for send in ledger.sends.values() if send.reference == reference]
        return DeliveryState(state)
