from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twilio.request_validator import RequestValidator

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.phone import DeliveryState
from tradingcore.auth.ports.phones import DeliveryReport, DeliveryReports

_STATES: Final[Mapping[str, DeliveryState]] = {
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.DELIVERED,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
}


class TwilioDeliveryReports(DeliveryReports):
    """Status callbacks of messages. Their signature covers the address that was called and every field of the form."""

    def __init__(self, *, account_sid: str, auth_token: str) -> None:
        self._account_sid = account_sid
        self._validator = RequestValidator(auth_token)

    def read(self, *, url: str, form: Mapping[str, str], signature: str) -> DeliveryReport | None:
        is_signed = signature.isascii() and self._validator.validate(url, dict(form), signature)
        if not is_signed or form.get("AccountSid") != self._account_sid:
            raise CredentialRefused("the signature of the report does not hold")
        reference, state = form.get("MessageSid"), _STATES.get(form.get("MessageStatus", ""))
        if not reference or state is None:
            return None
        return DeliveryReport(reference=reference, state=state)
