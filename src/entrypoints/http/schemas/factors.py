from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.use_cases.manage_totp import ConfirmTotpCommand


class AuthenticatorBody(Response):
    since: TimeText


class BackupCodesLeftBody(Response):
    """``is_low``: make a new set."""

    left: int
    is_low: bool


class FactorsBody(Response):
    """``is_required``: your role may do nothing before a second factor was shown."""

    totp: AuthenticatorBody | None
    backup_codes: BackupCodesLeftBody
    is_required: bool


class TotpEnrolmentBody(Response):
    """Shown once. ``secret`` to type in, or ``uri`` to open or read from ``qr_svg``, a whole SVG document."""

    secret: str
    uri: str
    qr_svg: str


class BackupCodesBody(Response):
    """Shown once: each stands in for the second factor once."""

    codes: list[str]


class TrustedDeviceBody(Response):
    id: IdText
    label: str
    created_at: TimeText
    expires_at: TimeText


class TrustedDeviceList(Response):
    """Newest first."""

    data: list[TrustedDeviceBody]


class TotpConfirmation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=6, max_length=16, description="the six digits that the authenticator shows now")]

    def command(self) -> ConfirmTotpCommand:
        return ConfirmTotpCommand(code=self.code)
