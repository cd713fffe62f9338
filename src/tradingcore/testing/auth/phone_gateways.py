"""Contracts of whoever sends codes, and of what they report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import pytest

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.phone import DeliveryState, PhoneChannel
from tradingcore.auth.ports.phones import DeliveryReport, DeliveryReports, PhoneGateway, PhoneMessage
from tradingcore.testing.auth.phones import a_number


def a_phone_message(gateway: PhoneGateway, **overrides: Any) -> PhoneMessage:
    """With a code, unless the gateway makes its own."""
    fields: dict[str, Any] = {
        "number": a_number(345678, block="+34612"),
        "channel": PhoneChannel.SMS,
        "code": None if gateway.keeps_codes else "493817",
        "locale": "es",
    }
    return PhoneMessage(**(fields | overrides))


@pytest.mark.asyncio
class PhoneGatewayContract(ABC):
    """Fixture: ``gateway``. `arrived` answers the code of a message that has come to its number."""

    @pytest.fixture
    def gateway(self) -> PhoneGateway:
        raise NotImplementedError("supply the gateway under test")

    @abstractmethod
    async def arrived(self, reference: str) -> str: ...

    @pytest.mark.parametrize("channel", list(PhoneChannel))
    async def test_code_arrives(self, gateway: PhoneGateway, channel: PhoneChannel) -> None:
        message = a_phone_message(gateway, channel=channel)
        code = await self.arrived(await gateway.send(message))
        assert len(code) == 6
        assert message.code in (None, code)

    async def test_messages_have_names_of_their_own(self, gateway: PhoneGateway) -> None:
        references = {await gateway.send(a_phone_message(gateway)) for _ in range(3)}
        assert len(references) == 3

    async def test_gateway_that_keeps_codes_knows_the_right_one_once(self, gateway: PhoneGateway) -> None:
        if not gateway.keeps_codes:
            pytest.skip("the codes are ours")
        message = a_phone_message(gateway)
        reference = await gateway.send(message)
        code = await self.arrived(reference)
        assert not await gateway.check(reference, message.number, f"{(int(code) + 1) % 10**6:06}")
        assert await gateway.check(reference, message.number, code)
        assert not await gateway.check(reference, message.number, code)
        assert not await gateway.check("unknown", message.number, code)


class DeliveryReportsContract(ABC):
    """Fixture: ``reports``. `signed` answers (form, signature) of a true report about the message ``SM1``."""

    url = "https://api.example.com/api/v1/webhooks/twilio/status"

    @pytest.fixture
    def reports(self) -> DeliveryReports:
        raise NotImplementedError("supply the reader under test")

    @abstractmethod
    def signed(self, url: str, state: str) -> tuple[Mapping[str, str], str]: ...

    @pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.FAILED])
    def test_true_report_is_read(self, reports: DeliveryReports, state: DeliveryState) -> None:
        form, signature = self.signed(self.url, state.value)
        assert reports.read(url=self.url, form=form, signature=signature) == DeliveryReport(reference="SM1", state=state)

    def test_report_that_was_altered_is_refused(self, reports: DeliveryReports) -> None:
        form, signature = self.signed(self.url, "failed")
        forged = [
            (self.url, {**form, "MessageStatus": "delivered"}, signature),
            (self.url, {**form, "More": "x"}, signature),
            (self.url, {name: value for name, value in form.items() if name != "To"}, signature),
            (self.url.replace("api.", "www."), form, signature),
            (self.url + "?x=1", form, signature),
            (self.url, form, ""),
            (self.url, form, signature[:-2]),
            (self.url, form, "é"),
        ]
        for url, fields, mark in forged:
            with pytest.raises(CredentialRefused):
                reports.read(url=url, form=fields, signature=mark)
