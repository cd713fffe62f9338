"""ID tokens (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725): who signed what, for whom, when, and in answer to which question."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # it ships no types
from joserfc import jwt
from joserfc.errors import JoseError

from adapters.oauth.calls import ProviderCalls
from adapters.oauth.signing_keys import SigningKeys
from tradingcore.kernel.ports import Clock

LARGEST_TOKEN: Final = 16 * 1024
LEEWAY_SECONDS: Final = 30

_ALGORITHM_BY_KIND: Final = {"RSA": "RS256", "EC": "ES256"}


class IdTokens:
    """Verifies the tokens of one issuer for one client."""

    def __init__(self, calls: ProviderCalls, clock: Clock, *, issuer: str, client_id: str) -> None:
        self._calls = calls
        self._clock = clock
        self._issuer = issuer
        self._client_id = client_id
        self._keys = SigningKeys(calls, clock)

    async def verify(self, tokens: Mapping[str, Any], *, keys_address: str, nonce: str) -> Mapping[str, Any]:
        """Return the claims of the ``id_token`` in a token answer. Raises `IdentityRefused`, `Unavailable`."""
        token = tokens.get("id_token")
        if not isinstance(token, str) or not token.isascii():
            raise self._calls.refused("no id token")
        if len(token) > LARGEST_TOKEN:
            raise self._calls.refused("size of the token")
        header = self._header_of(token)
        key = await self._keys.find(keys_address, header.get("kid"))
        if key is None:
            raise self._calls.refused("unknown key")
        # The key decides on the algorithm, never the token.
        algorithm = _ALGORITHM_BY_KIND[key.key_type]
        if header.get("alg") != algorithm:
            raise self._calls.refused("algorithm of the token")
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, RecursionError):
            raise self._calls.refused("signature of the token") from None
        self._check(claims, header, access_token=tokens["access_token"], nonce=nonce)
        return claims

    def _header_of(self, token: str) -> Mapping[str, Any]:
        try:
            part = token.partition(".")[0]
            header = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or not isinstance(header.get("kid", ""), str):
            raise self._calls.refused("head of the token")
        # Whatever it calls critical, nobody here understands; and a token of another type is no ID token.
        if "crit" in header or header.get("typ", "JWT") not in ("JWT", "jwt"):
            raise self._calls.refused("head of the token")
        return header

    def _check(self, claims: dict[str, Any], header: Mapping[str, Any], *, access_token: str, nonce: str) -> None:
        expected = {"iss": {"essential": True, "value": self._issuer}, "aud": {"essential": True, "value": self._client_id}}
        try:
            CodeIDToken(claims, header, expected, {"client_id": self._client_id, "access_token": access_token}).validate(
                now=int(self._clock.now().timestamp()), leeway=LEEWAY_SECONDS
            )
        except (JoseError, ValueError, TypeError) as error:
            reason = str(getattr(error, "description", ""))
            raise self._calls.refused(f"claims of the token: {reason}") from None
        # A token for several clients is one that the others can show here.
        if claims["aud"] not in (self._client_id, [self._client_id]):
            raise self._calls.refused("audience of the token")
        if not isinstance(claims.get("nonce"), str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
            raise self._calls.refused("nonce of the token")
