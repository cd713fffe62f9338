from __future__ import annotations

from entrypoints.http.schemas.phones import PhoneBody, PhoneProofBody
from tradingcore.auth.model.phone import Phone
from tradingcore.auth.use_cases.manage_phones import StartedPhoneProof
from tradingcore.processes.wire import rfc3339


def proof_body(started: StartedPhoneProof) -> PhoneProofBody:
    return PhoneProofBody(id=str(started.id), channel=started.channel.value, expires_at=rfc3339(started.expires_at))


def phone_body(phone: Phone) -> PhoneBody:
    return PhoneBody(
        number=phone.number.e164,
        country=phone.number.region,
        channel=phone.channel.value,
        confirmed_at=rfc3339(phone.confirmed_at),
    )
