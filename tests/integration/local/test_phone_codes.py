from __future__ import annotations

import pytest

from adapters.local.phone_codes import MailboxPhoneGateway
from adapters.memory.mailbox import MemoryMailbox
from tradingcore.auth.ports.phones import PhoneGateway
from tradingcore.testing.auth.phone_gateways import PhoneGatewayContract, a_phone_message
from tradingcore.testing.fakes import FakeClock, SequentialIds


class TestMailboxPhoneGateway(PhoneGatewayContract):
    @pytest.fixture
    def gateway(self) -> PhoneGateway:
        self.mailbox = MemoryMailbox(FakeClock())
        return MailboxPhoneGateway(self.mailbox, SequentialIds())

    async def arrived(self, reference: str) -> str:
        return (await self.mailbox.list_kept())[0].message.text.strip()

    async def test_mailbox_says_whose_phone_it_was(self, gateway: PhoneGateway) -> None:
        await gateway.send(a_phone_message(gateway))
        (kept,) = await self.mailbox.list_kept()
        assert (kept.message.to, kept.message.subject) == ("+34612345678@sms.invalid", "SMS: 493817")
