from __future__ import annotations

from typing import Final

from adapters.twilio.calls import CodeGone, TwilioCalls
from tradingcore.auth.model.phone import PhoneNumber
from tradingcore.auth.ports.phones import PhoneGateway, PhoneMessage

_APPROVED: Final = "approved"


class TwilioVerifyGateway(PhoneGateway):
    """Twilio Verify: makes, sends and checks the codes, with limits and a fraud guard of its own on top of ours."""

    def __init__(self, calls: TwilioCalls, *, service_sid: str) -> None:
        self._calls = calls
        self._service_sid = service_sid

    @property
    def keeps_codes(self) -> bool:
        return True

    async def send(self, message: PhoneMessage) -> str:
        verification = await self._calls.run(
            lambda client: client.verify.v2.services(self._service_sid).verifications.create(
                to=message.number.e164, channel=message.channel.value, locale=message.locale.partition("-")[0]
            )
        )
        return str(verification.sid)

    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        try:
            checked = await self._calls.run(
                lambda client: client.verify.v2.services(self._service_sid).verification_checks.create(
                    verification_sid=reference, code=code
                )
            )
        except CodeGone:
            return False
        return bool(checked.status == _APPROVED)
