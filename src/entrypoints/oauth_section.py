"""The section ``oauth`` of the settings: which identity providers are on, and as whom we are registered there."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

OWN_PATH = re.compile(r"/(?:[A-Za-z0-9_~-]+(?:/[A-Za-z0-9_~-]+)*)?")


def is_of_this_machine(address: str) -> bool:
    """Whether it is http:// and a loopback address."""
    parts = urlsplit(address)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _safe_address(value: str) -> str:
    parts = urlsplit(value)
    if not is_of_this_machine(value) and (parts.scheme != "https" or not parts.hostname):
        raise ValueError("must be an https:// address, or http:// and an address of this machine")
    return value


Address = Annotated[str, AfterValidator(_safe_address)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OAuthClientSection(_Part):
    """As registered at the provider, with the redirect address ``<http.public_url>/api/v1/auth/providers/<name>/callback``."""

    client_id: str = Field(min_length=1, max_length=300)
    client_secret: SecretStr = Field(min_length=1)


class PlainProviderSection(OAuthClientSection):
    """``endpoints`` replaces addresses of the provider, for a test double."""

    endpoints: dict[Literal["issuer", "authorize", "token", "user", "emails"], Address] = {}


class GoogleSection(OAuthClientSection):
    issuer: Address = "https://accounts.google.com"


class AppleSection(_Part):
    """``private_key`` is the PEM text of the team's key for Sign in with Apple; client secrets are made from it, call by call."""

    client_id: str = Field(min_length=1, max_length=300, description="the services id")
    team_id: str = Field(min_length=1, max_length=100)
    key_id: str = Field(min_length=1, max_length=100)
    private_key: SecretStr = Field(min_length=1)
    issuer: Address = "https://appleid.apple.com"


class OAuthSection(_Part):
    """A provider that is left out is off."""

    google: GoogleSection | None = None
    apple: AppleSection | None = None
    facebook: PlainProviderSection | None = None
    x: PlainProviderSection | None = None
    github: PlainProviderSection | None = None
    local: bool | None = Field(
        default=None, description="a provider of our own where anybody may be anybody; default: in development on this machine"
    )
    sign_in_path: str = Field(default="/sign-in", description="our page that finishes a sign-in, with the handle after its #")
    next_paths: tuple[str, ...] = Field(default=("/",), description="our paths that a sign-in may lead back to")

    @field_validator("sign_in_path", "next_paths")
    @classmethod
    def _own_paths(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for path in (value,) if isinstance(value, str) else value:
            if not OWN_PATH.fullmatch(path):
                raise ValueError("a path of our own begins with / and has neither query nor fragment, such as /account")
        return value
