from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row

from tradingcore.auth.ids import ChallengeId, PasskeyId, TrustedDeviceId
from tradingcore.auth.model.backup_code import BackupCode
from tradingcore.auth.model.challenge import Challenge, ChallengePurpose, FactorKind
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.kernel.authz import UserId


def secret_cell(user_id: UserId) -> str:
    """What the sealed secret of a user's authenticator is about."""
    return f"public.totp_factors.secret_sealed:{user_id}"


def totp_factor_from_row(row: Row[Any]) -> TotpFactor:
    return TotpFactor(
        user_id=UserId(row.user_id), created_at=row.created_at, last_step=row.last_step, confirmed_at=row.confirmed_at
    )


def backup_code_to_row(code: BackupCode) -> dict[str, Any]:
    return asdict(code)


def challenge_to_row(challenge: Challenge) -> dict[str, Any]:
    return {**asdict(challenge), "factors": sorted(challenge.factors), "methods": list(challenge.methods)}


def challenge_from_row(row: Row[Any]) -> Challenge:
    return Challenge(
        id=ChallengeId(row.id),
        token_hash=bytes(row.token_hash),
        user_id=UserId(row.user_id),
        purpose=ChallengePurpose(row.purpose),
        factors=frozenset(map(FactorKind, row.factors)),
        session_id=row.session_id,
        methods=tuple(map(AuthMethod, row.methods)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        attempts=row.attempts,
        closed_at=row.closed_at,
    )


def trusted_device_to_row(device: TrustedDevice) -> dict[str, Any]:
    return asdict(device)


def trusted_device_from_row(row: Row[Any]) -> TrustedDevice:
    return TrustedDevice(
        id=TrustedDeviceId(row.id),
        token_hash=bytes(row.token_hash),
        user_id=UserId(row.user_id),
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def passkey_to_row(passkey: Passkey) -> dict[str, Any]:
    return {**asdict(passkey), "transports": list(passkey.transports)}


def passkey_from_row(row: Row[Any]) -> Passkey:
    return Passkey(
        id=PasskeyId(row.id),
        user_id=UserId(row.user_id),
        credential_id=bytes(row.credential_id),
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        label=row.label,
        transports=tuple(row.transports),
        is_synced=row.is_synced,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
