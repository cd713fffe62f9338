from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.twilio.breaker import OPEN_SECONDS, Breaker
from adapters.twilio.calls import TwilioAccount, TwilioCalls
from adapters.twilio.messages import MessageSenders, TwilioMessagesGateway
from adapters.twilio.reports import TwilioDeliveryReports
from adapters.twilio.verify import TwilioVerifyGateway
from tests.asvs import asvs
from tests.integration.twilio.stub import ACCOUNT, SERVICE, TEMPLATE, TOKEN, Answer, TwilioStub, report, signature
from tradingcore.auth.errors import CredentialRefused, PhoneRefused, PhoneUnavailable
from tradingcore.auth.model.phone import PhoneChannel
from tradingcore.auth.ports.phones import DeliveryReports, PhoneGateway
from tradingcore.kernel.errors import TradingCoreError, Unavailable
from tradingcore.testing.auth.phone_gateways import DeliveryReportsContract, PhoneGatewayContract, a_phone_message

SENDERS = MessageSenders(
    sms_from="+15005550006", whatsapp_from="+15005550007", status_url="https://api.example.com/api/v1/webhooks/twilio/status"
)


def the_calls(stub: TwilioStub, **overrides: Any) -> TwilioCalls:
    fields: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": TOKEN, "api_url": stub.url, "answer_seconds": 1.0}
    breaker = overrides.pop("breaker", None)
    return TwilioCalls(TwilioAccount(**(fields | overrides)), breaker=breaker)


def messages(stub: TwilioStub, **overrides: Any) -> TwilioMessagesGateway:
    return TwilioMessagesGateway(the_calls(stub, **overrides), SENDERS)


class TestTwilioVerifyGateway(PhoneGatewayContract):
    @pytest.fixture
    def gateway(self, stub: TwilioStub) -> PhoneGateway:
        self.stub = stub
        return TwilioVerifyGateway(the_calls(stub), service_sid=SERVICE)

    async def arrived(self, reference: str) -> str:
        return self.stub.codes[reference]


class TestTwilioMessagesGateway(PhoneGatewayContract):
    @pytest.fixture
    def gateway(self, stub: TwilioStub) -> PhoneGateway:
        self.stub = stub
        return messages(stub)

    async def arrived(self, reference: str) -> str:
        _, form = self.stub.requests[-1]
        return form["Body"].partition(" ")[0]


class TestTwilioDeliveryReports(DeliveryReportsContract):
    @pytest.fixture
    def reports(self) -> DeliveryReports:
        return TwilioDeliveryReports(account_sid=ACCOUNT, auth_token=TOKEN)

    def signed(self, url: str, state: str) -> tuple[Mapping[str, str], str]:
        form = report("SM1", state)
        return form, signature(url, form)


async def test_verify_asks_in_the_language_and_channel_of_the_user(stub: TwilioStub) -> None:
    gateway = TwilioVerifyGateway(the_calls(stub), service_sid=SERVICE)
    await gateway.send(a_phone_message(gateway, locale="es-MX", channel=PhoneChannel.WHATSAPP))
    assert stub.requests == [
        (f"/v2/Services/{SERVICE}/Verifications", {"To": "+34612345678", "Channel": "whatsapp", "Locale": "es"})
    ]


async def test_verify_that_takes_no_more_guesses_says_no(stub: TwilioStub) -> None:
    gateway = TwilioVerifyGateway(the_calls(stub), service_sid=SERVICE)
    message = a_phone_message(gateway)
    reference = await gateway.send(message)
    guesses = [await gateway.check(reference, message.number, "000000") for _ in range(6)]
    assert guesses == [False] * 6
    assert not await gateway.check(reference, message.number, stub.codes[reference])


async def test_sms_and_whatsapp_come_from_their_own_senders(stub: TwilioStub) -> None:
    gateway = messages(stub)
    for channel in PhoneChannel:
        await gateway.send(a_phone_message(gateway, channel=channel, locale="en"))
    (path, sms), (_, whatsapp) = stub.requests
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert (sms["To"], sms["From"], sms["StatusCallback"]) == ("+34612345678", "+15005550006", SENDERS.status_url)
    assert (whatsapp["To"], whatsapp["From"]) == ("whatsapp:+34612345678", "whatsapp:+15005550007")
    assert sms["Body"] == "493817 is your tradingcore code. It holds for 10 minutes. Never give it to anybody."


async def test_whatsapp_template_and_messaging_service_are_used_if_given(stub: TwilioStub) -> None:
    service = "MG" + "3" * 32
    senders = MessageSenders(sms_from=service, whatsapp_from="+15005550007", whatsapp_template=TEMPLATE)
    gateway = TwilioMessagesGateway(the_calls(stub), senders)
    for channel in PhoneChannel:
        await gateway.send(a_phone_message(gateway, channel=channel))
    (_, sms), (_, whatsapp) = stub.requests
    assert sms["MessagingServiceSid"] == service
    assert "From" not in sms
    assert (whatsapp["ContentSid"], json.loads(whatsapp["ContentVariables"])) == (TEMPLATE, {"1": "493817"})


async def test_whatsapp_without_a_sender_is_not_offered(stub: TwilioStub) -> None:
    gateway = TwilioMessagesGateway(the_calls(stub), MessageSenders(sms_from="+15005550006"))
    with pytest.raises(PhoneUnavailable, match="choose sms"):
        await gateway.send(a_phone_message(gateway, channel=PhoneChannel.WHATSAPP))
    assert stub.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=400, code=21211), PhoneRefused),
        (Answer(status=400, code=21610), PhoneRefused),
        (Answer(status=400, code=21606), PhoneUnavailable),
        (Answer(status=429, code=20429), PhoneUnavailable),
        (Answer(status=403, code=20003), PhoneUnavailable),
        (Answer(status=404, code=20404), PhoneUnavailable),
        (Answer(status=500, code=20500), Unavailable),
        (Answer(status=503, body="<html>down"), Unavailable),
        (Answer(status=201, body="not json"), Unavailable),
        (Answer(hang_seconds=0.5), Unavailable),
        (Answer(drop=True), Unavailable),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_what_goes_wrong_is_told_in_our_words(stub: TwilioStub, answer: Answer, error: type[TradingCoreError]) -> None:
    stub.answers = [answer]
    gateway = messages(stub, answer_seconds=0.2)
    with pytest.raises(error) as caught:
        await gateway.send(a_phone_message(gateway))
    assert type(caught.value) is error
    assert "612345678" not in str(caught.value)
    assert len(stub.requests) == 1, "a message that may have been sent is not sent again"


async def test_provider_that_is_away_has_sent_nothing(stub: TwilioStub) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gateway = messages(stub, api_url=f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(PhoneUnavailable):
        await gateway.send(a_phone_message(gateway))


async def test_wrong_login_is_for_the_operator_to_mend(stub: TwilioStub) -> None:
    gateway = messages(stub, auth_token="wrong" * 8)
    with pytest.raises(PhoneUnavailable) as caught:
        await gateway.send(a_phone_message(gateway))
    assert "wrong" not in str(caught.value)
    assert stub.requests == []


@asvs("16.5.2")
async def test_provider_that_fails_is_left_alone_for_a_while(stub: TwilioStub) -> None:
    clock = [0.0]
    gateway = messages(stub, breaker=Breaker(now=lambda: clock[0]))
    stub.answers = [Answer(status=500, code=20500) for _ in range(20)]
    for _ in range(20):
        with pytest.raises(Unavailable):
            await gateway.send(a_phone_message(gateway))
    with pytest.raises(PhoneUnavailable):
        await gateway.send(a_phone_message(gateway))
    assert len(stub.requests) == 20
    clock[0] += OPEN_SECONDS
    await asyncio.gather(*(gateway.send(a_phone_message(gateway)) for _ in range(3)), return_exceptions=True)
    assert len(stub.requests) == 21, "one probe"
    await gateway.send(a_phone_message(gateway))


async def test_callers_at_once_do_not_wait_for_each_other(stub: TwilioStub) -> None:
    gateway = messages(stub, answer_seconds=5.0)
    stub.answers = [Answer(status=429, code=20429, hang_seconds=0.3) for _ in range(4)]
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(gateway.send(a_phone_message(gateway)) for _ in range(4)), return_exceptions=True)
    assert asyncio.get_running_loop().time() - begun < 1.0


def test_report_about_another_account_or_with_another_key_is_refused() -> None:
    url, reports = DeliveryReportsContract.url, TwilioDeliveryReports(account_sid=ACCOUNT, auth_token=TOKEN)
    other = report("SM1", "delivered", AccountSid="AC" + "9" * 32)
    form = report("SM1", "delivered")
    for fields, mark in ((other, signature(url, other)), (form, signature(url, form, token="u" * 32))):
        with pytest.raises(CredentialRefused):
            reports.read(url=url, form=fields, signature=mark)


def test_report_about_a_state_that_nobody_needs_is_left_aside() -> None:
    url, reports = DeliveryReportsContract.url, TwilioDeliveryReports(account_sid=ACCOUNT, auth_token=TOKEN)
    form = report("SM1", "queued")
    assert reports.read(url=url, form=form, signature=signature(url, form)) is None
