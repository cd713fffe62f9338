from __future__ import annotations

from collections.abc import Sequence

from entrypoints.http.schemas.factors import (
    AuthenticatorBody,
    BackupCodesBody,
    BackupCodesLeftBody,
    FactorsBody,
    TotpEnrolmentBody,
    TrustedDeviceBody,
    TrustedDeviceList,
)
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.use_cases.get_factors import AccountFactors
from tradingcore.auth.use_cases.manage_totp import TotpEnrolment
from tradingcore.processes.wire import rfc3339


def factors_body(factors: AccountFactors) -> FactorsBody:
    return FactorsBody(
        totp=None if factors.totp_since is None else AuthenticatorBody(since=rfc3339(factors.totp_since)),
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
