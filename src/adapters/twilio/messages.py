from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.twilio.calls import CodeGone, TwilioCalls
from tradingcore.auth.errors import PhoneUnavailable
from tradingcore.auth.model.phone import PhoneChannel, PhoneNumber
from tradingcore.auth.ports.phones import PhoneGateway, PhoneMessage

_TEXTS: Final[Mapping[str, str]] = {
    "en": "{code} is your tradingcore code. It holds for 10 minutes. Never give it to anybody.",
    "es": "{code} es tu código de tradingcore. Vale 10 minutos. No se lo des a nadie.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSenders:
    """Who the messages come from. ``sms_from`` is a number, or the id of a messaging service (MG…).

    WhatsApp delivers the first message of a conversation only as an approved template: ``whatsapp_template`` is its id (HX…), and
    the code is its variable 1. ``status_url`` is told what becomes of a message.
    """

    sms_from: str
    whatsapp_from: str | None = None
    whatsapp_template: str | None = None
    status_url: str | None = None


class TwilioMessagesGateway(PhoneGateway):
    """Twilio's messages: the code is ours, and only travels."""

    def __init__(self, calls: TwilioCalls, senders: MessageSenders) -> None:
        self._calls = calls
        self._senders = senders

    @property
    def keeps_codes(self) -> bool:
        return False

    async def send(self, message: PhoneMessage) -> str:
        assert message.code is not None, "this gateway makes no codes"
        options = {**self._options(message, message.code), "status_callback": self._senders.status_url}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            sent = await self._calls.run(lambda client: client.messages.create(**given))
        except CodeGone:
            raise PhoneUnavailable("codes cannot be sent at the moment: try again shortly") from None
        return str(sent.sid)

    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        raise TypeError("this gateway keeps no codes")

    def _options(self, message: PhoneMessage, code: str) -> dict[str, Any]:
        text = _TEXTS.get(message.locale.partition("-")[0], _TEXTS["en"]).format(code=code)
        senders = self._senders
        if message.channel is PhoneChannel.SMS:
            sender = "messaging_service_sid" if senders.sms_from.startswith("MG") else "from_"
            return {"to": message.number.e164, sender: senders.sms_from, "body": text}
        if senders.whatsapp_from is None:
            raise PhoneUnavailable("codes are not sent by WhatsApp here: choose sms")
        address = {"to": f"whatsapp:{message.number.e164}", "from_": f"whatsapp:{senders.whatsapp_from}"}
        if senders.whatsapp_template is None:
            return {**address, "body": text}
        return {**address, "content_sid": senders.whatsapp_template, "content_variables": json.dumps({"1": code})}
