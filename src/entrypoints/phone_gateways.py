"""From the settings to whoever sends codes by SMS and WhatsApp."""

from __future__ import annotations

import secrets
from typing import Any, Final

from entrypoints.phones_section import PhonesSection

STATUS_PATH: Final = "/api/v1/webhooks/twilio/status"


def verify_gateway(section: PhonesSection) -> Any:
    from adapters.twilio.verify import TwilioVerifyGateway

    assert section.verify_service is not None, "the section is complete"
    return TwilioVerifyGateway(_calls(section), service_sid=section.verify_service)


def messages_gateway(section: PhonesSection, public_url: str) -> Any:
    from adapters.twilio.messages import MessageSenders, TwilioMessagesGateway

    assert section.sms_from is not None, "the section is complete"
    senders = MessageSenders(
        sms_from=section.sms_from,
        whatsapp_from=section.whatsapp_from,
        whatsapp_template=section.whatsapp_template,
        status_url=status_url(public_url),
    )
    return TwilioMessagesGateway(_calls(section), senders)


def _calls(section: PhonesSection) -> Any:
    from adapters.twilio.calls import TwilioAccount, TwilioCalls

    assert section.account_sid is not None, "the section is complete"
    assert section.auth_token is not None, "the section is complete"
    token = section.auth_token.get_secret_value()
    return TwilioCalls(TwilioAccount(account_sid=section.account_sid, auth_token=token, api_url=section.api_url))


def delivery_reports(section: PhonesSection) -> Any:
    """Without an account nobody's signature holds."""
    from adapters.twilio.reports import TwilioDeliveryReports

    token = secrets.token_hex(32) if section.auth_token is None else section.auth_token.get_secret_value()
    return TwilioDeliveryReports(account_sid=section.account_sid or "", auth_token=token)


def status_url(public_url: str) -> str:
    """Where the provider reports to, as it is known outside."""
    return public_url + STATUS_PATH
