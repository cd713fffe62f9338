"""OpenID Connect Discovery 1.0, pinned: the issuer is configured, and what a provider says of itself is believed for that alone."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.oauth.calls import ProviderCalls
from tradingcore.kernel.ports import Clock

_KEPT_FOR: Final = timedelta(hours=1)
_PATH: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """``names_itself``: the provider sends ``iss`` to the callback (RFC 9207)."""

    authorize: str
    token: str
    keys: str
    names_itself: bool


class Discovery:
    """The metadata of ``issuer``, read again when an hour has passed."""

    def __init__(self, calls: ProviderCalls, issuer: str, clock: Clock) -> None:
        self._calls = calls
        self._issuer = issuer
        self._clock = clock
        self._found: tuple[ProviderMetadata, datetime] | None = None

    async def metadata(self) -> ProviderMetadata:
        """Raises `Unavailable`, also when the document is not that of the issuer."""
        now = self._clock.now()
        if self._found is None or now - self._found[1] >= _KEPT_FOR:
            self._found = (await self._read(), now)
        return self._found[0]

    async def _read(self) -> ProviderMetadata:
        answer = await self._calls.get(self._issuer.rstrip("/") + _PATH)
        found = answer.as_object()
        if not answer.is_ok or found.get("issuer") != self._issuer:
            raise self._calls.unavailable("describes itself as somebody else")
        addresses = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(map(is_safe_address, addresses)):
            raise self._calls.unavailable("names an address that is not https")
        authorize, token, keys = map(str, addresses)
        names_itself = found.get("authorization_response_iss_parameter_supported") is True
        return ProviderMetadata(authorize=authorize, token=token, keys=keys, names_itself=names_itself)


def is_safe_address(address: Any) -> bool:
    """Whether it is https, or http to this machine itself, where a developer's own provider may listen."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
