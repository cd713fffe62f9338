from __future__ import annotations

import pytest

from adapters.memory.mailbox import MemoryMailbox
from tradingcore.notifications.ports import Mailbox
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.mail import MailboxContract


class TestMemoryMailbox(MailboxContract):
    @pytest.fixture
    def sender(self, clock: FakeClock) -> Mailbox:
        return MemoryMailbox(clock, most_kept=5)
