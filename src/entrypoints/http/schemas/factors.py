from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from entrypoints.http.schemas.sessions import DELIVERY, Delivery, OpaqueToken
from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.passkey import LONGEST_LABEL
from tradingcore.auth.use_cases.manage_passkeys import CreatePasskeyCommand
from tradingcore.auth.use_cases.manage_totp import ConfirmTotpCommand
from tradingcore.auth.use_cases.passkey_sign_in import FinishPasskeySignInCommand
from tradingcore.auth.use_cases.passkey_tokens import LONGEST_TOKEN

CeremonyToken: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_TOKEN)]
PasskeyLabel: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_LABEL)]
Credential: TypeAlias = Annotated[dict[str, Any], Meta(description="what the browser answered, as its toJSON gives it")]


class AuthenticatorBody(Response):
    since: TimeText


class BackupCodesLeftBody(Response):
    """``is_low``: make a new set."""

    left: int
    is_low: bool


class PasskeyBody(Response):
    """``is_synced``: its maker keeps copies on several devices."""

    id: IdText
    label: str
    is_synced: bool
    created_at: TimeText
    last_used_at: TimeText | None


class FactorsBody(Response):
    """``is_required``: your role may do nothing before a second factor was shown."""

    totp: AuthenticatorBody | None
    passkeys: list[PasskeyBody]
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


class PasskeyCeremonyBody(Response):
    """Give ``options`` to ``navigator.credentials``, and send ``token`` back with its answer within five minutes."""

    token: str
    options: dict[str, Any]


class PasskeyOptionsBody(Response):
    """For ``navigator.credentials.get``; its answer, as JSON text, is the proof of the challenge."""

    options: dict[str, Any]


class CreatedPasskeyBody(Response):
    """``backup_codes`` come with the first factor of an account, once."""

    passkey: PasskeyBody
    backup_codes: list[str]


class NewPasskey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: CeremonyToken
    label: PasskeyLabel
    credential: Credential

    def command(self) -> CreatePasskeyCommand:
        return CreatePasskeyCommand(token=self.token, label=self.label, credential=_text(self.credential))


class PasskeyName(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    label: PasskeyLabel


class PasskeySignIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: CeremonyToken
    credential: Credential
    delivery: Annotated[Delivery, DELIVERY] = "body"

    def command(self, caller: Caller) -> FinishPasskeySignInCommand:
        return FinishPasskeySignInCommand(token=self.token, credential=_text(self.credential), caller=caller)


class PasskeyChallenge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    challenge: OpaqueToken


def _text(credential: dict[str, Any]) -> str:
    return msgspec.json.encode(credential).decode()


class TotpConfirmation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=6, max_length=16, description="the six digits that the authenticator shows now")]

    def command(self) -> ConfirmTotpCommand:
        return ConfirmTotpCommand(code=self.code)
