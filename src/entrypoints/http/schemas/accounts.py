from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from entrypoints.http.pages import PageInfo
from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.account import Profile
from tradingcore.auth.use_cases.change_password import ChangePasswordCommand
from tradingcore.auth.use_cases.register_account import RegisterAccountCommand
from tradingcore.auth.use_cases.update_profile import UpdateProfileCommand
from tradingcore.kernel.network import NetworkPrefix

EmailText: TypeAlias = Annotated[str, Meta(min_length=3, max_length=320, description="name@example.org")]
PasswordText: TypeAlias = Annotated[
    str, Meta(max_length=1024, description="12 to 256 characters, any that you like; the very common ones are refused")
]
GivenPassword: TypeAlias = Annotated[str, Meta(max_length=1024)]
TokenText: TypeAlias = Annotated[str, Meta(max_length=128, description="from the link of the mail, after #token=")]
NameText: TypeAlias = Annotated[str, Meta(max_length=320, description="at most 80 characters")]
LocaleText: TypeAlias = Literal["en", "es"]
ZoneText: TypeAlias = Annotated[str, Meta(max_length=64, description="an IANA name such as America/Mexico_City")]


class Registration(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    email: EmailText
    password: PasswordText
    display_name: NameText = ""
    locale: LocaleText = "en"
    time_zone: ZoneText = "UTC"

    def command(self, network: NetworkPrefix) -> RegisterAccountCommand:
        profile = Profile(display_name=self.display_name, locale=self.locale, time_zone=self.time_zone)
        return RegisterAccountCommand(email=self.email, password=self.password, profile=profile, network=network)


class AddressRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    email: EmailText


class TokenRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: TokenText


class PasswordReset(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    token: TokenText
    password: PasswordText


class PasswordChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Without ``old_password`` for an account that has none yet."""

    old_password: GivenPassword | None = None
    new_password: PasswordText

    def command(self) -> ChangePasswordCommand:
        return ChangePasswordCommand(old=self.old_password, new=self.new_password)


class ProfileChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    display_name: NameText | UnsetType = UNSET
    locale: LocaleText | UnsetType = UNSET
    time_zone: ZoneText | UnsetType = UNSET

    def command(self, version: int) -> UpdateProfileCommand:
        return UpdateProfileCommand(
            version=version,
            display_name=None if self.display_name is UNSET else self.display_name,
            locale=None if self.locale is UNSET else self.locale,
            time_zone=None if self.time_zone is UNSET else self.time_zone,
        )


class AcceptedBody(Response):
    """The same for every address, known or not: what there is to say is said by mail."""

    status: Literal["accepted"] = "accepted"


class AvatarBody(Response):
    media_type: str
    sha256: str
    size: int


class AccountBody(Response):
    """``restriction`` says why you may do less than your roles give."""

    id: IdText
    status: str
    email: str | None
    is_verified: bool
    has_password: bool
    roles: list[str]
    plan: str
    display_name: str
    locale: str
    time_zone: str
    avatar: AvatarBody | None
    created_at: TimeText
    password_changed_at: TimeText | None
    restriction: str | None


class SecurityEventBody(Response):
    """``by`` is you, or the name of whoever acted on your account."""

    id: IdText
    at: TimeText
    type: str
    by: str
    facts: dict[str, Any]


class SecurityEventPage(Response):
    data: list[SecurityEventBody]
    page: PageInfo
