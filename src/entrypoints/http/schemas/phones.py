from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.phone import PhoneChannel
from tradingcore.auth.use_cases.manage_phones import StartPhoneProofCommand
from tradingcore.kernel.network import NetworkPrefix

NumberText: TypeAlias = Annotated[str, Meta(max_length=32, description="in international form, such as +34 612 34 56 78")]
PhoneCodeText: TypeAlias = Annotated[str, Meta(max_length=16, description="the six digits that were sent")]
ChannelText: TypeAlias = Literal["sms", "whatsapp"]


class PhoneProofRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    number: NumberText
    channel: ChannelText = "sms"

    def command(self, network: NetworkPrefix) -> StartPhoneProofCommand:
        return StartPhoneProofCommand(number=self.number, channel=PhoneChannel(self.channel), network=network)


class PhoneConfirmation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    code: PhoneCodeText


class PhoneProofBody(Response):
    """A code is on its way. It holds for this proof, in this session, until ``expires_at``."""

    id: IdText
    channel: ChannelText
    expires_at: TimeText


class PhoneBody(Response):
    """The proven number of your account."""

    number: str
    country: str
    channel: ChannelText
    confirmed_at: TimeText


_NUMBER: Final = "+34612345678"

PHONE_EXAMPLES: Final[dict[type[msgspec.Struct], Any]] = {
    PhoneProofRequest: {"number": "+34 612 34 56 78", "channel": "sms"},
    PhoneConfirmation: {"code": "493817"},
    PhoneProofBody: {
        "id": "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e91",
        "channel": "sms",
        "expires_at": "2026-03-02T12:10:00Z",
    },
    PhoneBody: {"number": _NUMBER, "country": "ES", "channel": "sms", "confirmed_at": "2026-03-02T12:01:00Z"},
}
