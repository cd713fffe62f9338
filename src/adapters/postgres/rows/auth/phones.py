from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.auth.model.phone import Phone, PhoneChannel, PhoneNumber, PhoneProof
from tradingcore.kernel.authz import UserId


def number_to_bytes(number: PhoneNumber) -> bytes:
    return json.dumps({"e164": number.e164, "region": number.region, "block": number.block}).encode()


def number_from_bytes(content: bytes) -> PhoneNumber:
    return PhoneNumber(**json.loads(content))


def phone_cell(user_id: UUID) -> str:
    """What the sealed number of a phone is about."""
    return f"phones.number_sealed:{user_id}"


def proof_cell(proof_id: UUID) -> str:
    return f"phone_proofs.number_sealed:{proof_id}"


def phone_from_row(row: Row[Any], number: bytes) -> Phone:
    return Phone(
        user_id=UserId(row.user_id),
        number=number_from_bytes(number),
        channel=PhoneChannel(row.channel),
        confirmed_at=row.confirmed_at,
    )


def proof_to_row(proof: PhoneProof, sealed: bytes) -> dict[str, Any]:
    return {
        "id": proof.id,
        "user_id": proof.user_id,
        "session_id": proof.session_id,
        "number_sealed": sealed,
        "channel": proof.channel.value,
        "send_id": proof.send_id,
        "code_hash": proof.code_hash,
        "reference": proof.reference,
        "created_at": proof.created_at,
        "expires_at": proof.expires_at,
        "attempts": proof.attempts,
        "closed_at": proof.closed_at,
    }


def proof_from_row(row: Row[Any], number: bytes) -> PhoneProof:
    return PhoneProof(
        id=PhoneProofId(row.id),
        user_id=UserId(row.user_id),
        session_id=row.session_id,
        number=number_from_bytes(number),
        channel=PhoneChannel(row.channel),
        send_id=PhoneSendId(row.send_id),
        code_hash=None if row.code_hash is None else bytes(row.code_hash),
        reference=row.reference,
        created_at=row.created_at,
        expires_at=row.expires_at,
        attempts=row.attempts,
        closed_at=row.closed_at,
    )
