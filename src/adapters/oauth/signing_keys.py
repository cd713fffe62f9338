"""The keys that a provider signs with (RFC 7517), fetched rarely: a flood of tokens must not become a flood of calls."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from adapters.oauth.calls import ProviderCalls
from tradingcore.kernel.ports import Clock

SigningKey = RSAKey | ECKey

_KEPT_FOR: Final = timedelta(hours=1)
_RARELY: Final = timedelta(minutes=1)
_MOST_KEYS: Final = 32
_FEWEST_RSA_BITS: Final = 2048


class SigningKeys:
    """Public keys by ``kid``. An unknown one has them fetched again, at most once a minute, whatever comes of it."""

    def __init__(self, calls: ProviderCalls, clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        self._keys: Mapping[str, SigningKey] = {}
        self._asked_at: datetime | None = None
        self._fetched_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def find(self, address: str, kid: str | None) -> SigningKey | None:
        """Without a ``kid`` there must be no choice (OpenID Connect Core 10.1). Raises `Unavailable` while there are no keys."""
        if not self._is_stale() and (known := self._known(kid)) is not None:
            return known
        async with self._lock:
            now = self._clock.now()
            is_stale = self._is_stale()
            may_ask = self._asked_at is None or now - self._asked_at >= _RARELY
            if may_ask and (is_stale or self._known(kid) is None):
                self._asked_at = now
                self._keys = await self._fetch(address)
                self._fetched_at = now
            elif is_stale:
                # Old keys may have been withdrawn: better to wait a minute than to trust one of them.
                raise self._calls.unavailable("does not show its keys")
            return self._known(kid)

    def _known(self, kid: str | None) -> SigningKey | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._clock.now() - self._fetched_at >= _KEPT_FOR

    async def _fetch(self, address: str) -> Mapping[str, SigningKey]:
        answer = await self._calls.get(address)
        listed = answer.as_object().get("keys")
        if not answer.is_ok or not isinstance(listed, list):
            raise self._calls.unavailable("does not show its keys")
        return {key.kid or "": key for key in map(_usable, listed[:_MOST_KEYS]) if key is not None}


def _usable(value: Any) -> SigningKey | None:
    if not isinstance(value, dict) or value.get("use") == "enc" or not isinstance(value.get("kid", ""), str):
        return None
    if value.get("kty") not in ("RSA", "EC"):
        return None  # a shared secret is no public key
    try:
        if value["kty"] == "RSA" and _bits(value["n"]) < _FEWEST_RSA_BITS:
            return None
        key = import_key({name: value[name] for name in ("kty", "kid", "alg", "n", "e", "crv", "x", "y") if name in value})
    except (JoseError, KeyError, ValueError, TypeError):
        return None
    return key if isinstance(key, RSAKey | ECKey) else None


def _bits(number: str) -> int:
    return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
