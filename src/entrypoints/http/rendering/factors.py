from __future__ import annotations

from collections.abc import Sequence

import msgspec

from entrypoints.http.schemas.factors import (
    AuthenticatorBody,
    BackupCodesBody,
    BackupCodesLeftBody,
    CreatedPasskeyBody,
    FactorsBody,
    PasskeyBody,
    PasskeyCeremonyBody,
    PasskeyOptionsBody,
    TotpEnrolmentBody,
    TrustedDeviceBody,
    TrustedDeviceList,
)
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.use_cases.get_factors import AccountFactors
from tradingcore.auth.use_cases.manage_passkeys import CreatedPasskey, StartedPasskeyCeremony
from tradingcore.auth.use_cases.manage_totp import TotpEnrolment
from tradingcore.processes.wire import rfc3339


def factors_body(factors: AccountFactors) -> FactorsBody:
    return FactorsBody(
        totp=None if factors.totp_since is None else AuthenticatorBody(since=rfc3339(factors.totp_since)),
        passkeys=[_passkey(passkey) for passkey in factors.passkeys],
        backup_codes=BackupCodesLeftBody(left=factors.backup_codes_left, is_low=factors.are_codes_low),
        is_required=factors.is_required,
    )


def enrolment_body(enrolment: TotpEnrolment) -> TotpEnrolmentBody:
    return TotpEnrolmentBody(secret=enrolment.secret, uri=enrolment.uri, qr_svg=enrolment.qr_svg)


def codes_body(codes: Sequence[str]) -> BackupCodesBody:
    return BackupCodesBody(codes=list(codes))


def devices_body(devices: Sequence[TrustedDevice]) -> TrustedDeviceList:
    return TrustedDeviceList(data=[_device(device) for device in devices])


def _device(device: TrustedDevice) -> TrustedDeviceBody:
    return TrustedDeviceBody(
        id=str(device.id),
        label=device.label,
        created_at=rfc3339(device.created_at),
        expires_at=rfc3339(device.expires_at),
    )


def ceremony_body(started: StartedPasskeyCeremony) -> PasskeyCeremonyBody:
    return PasskeyCeremonyBody(token=started.token, options=msgspec.json.decode(started.options))


def options_body(options: str) -> PasskeyOptionsBody:
    return PasskeyOptionsBody(options=msgspec.json.decode(options))


def created_passkey_body(created: CreatedPasskey) -> CreatedPasskeyBody:
    return CreatedPasskeyBody(passkey=_passkey(created.passkey), backup_codes=list(created.backup_codes))


def _passkey(passkey: Passkey) -> PasskeyBody:
    return PasskeyBody(
        id=str(passkey.id),
        label=passkey.label,
        is_synced=passkey.is_synced,
        created_at=rfc3339(passkey.created_at),
        last_used_at=None if passkey.last_used_at is None else rfc3339(passkey.last_used_at),
    )
