from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.oauth.client import OAuthClient
from adapters.oauth.openid import OpenIdIdentityProvider
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import ProviderAnswer
from tradingcore.kernel.ports import Clock

ISSUER: Final = "https://appleid.apple.com"
SECRET_SECONDS: Final = 300
_LONGEST_USER: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleKey:
    """The key of the developer team, PEM (PKCS #8), that client secrets are signed with."""

    team_id: str
    key_id: str
    private_key: str = field(repr=False)


class AppleIdentityProvider(OpenIdIdentityProvider):
    """Asking for a name or an address forces ``response_mode=form_post``: the answer is posted across sites, without our cookies.

    The client secret is a JWT that is made for each call and holds for five minutes. The name comes at the first consent only.
    """

    def __init__(
        self,
        client: OAuthClient,
        key: AppleKey,
        http: httpx2.AsyncClient,
        clock: Clock,
        *,
        issuer: str = ISSUER,
    ) -> None:
        super().__init__(
            Provider.APPLE,
            client,
            http,
            clock,
            title="Apple",
            issuer=issuer,
            scope="openid email name",
            extra={"response_mode": "form_post"},
        )
        self._client_id = client.client_id
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._private_key = ECKey.import_key(key.private_key)

    def _secret(self) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._key.team_id,
            "iat": now,
            "exp": now + SECRET_SECONDS,
            "aud": self._issuer,
            "sub": self._client_id,
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.key_id}, claims, self._private_key)

    def _name_in(self, claims: Mapping[str, Any], answer: ProviderAnswer) -> Any:
        # Posted by the browser, so anybody may have written it: good for a greeting, never for an address.
        try:
            posted = json.loads(answer.user or "{}") if len(answer.user or "") <= _LONGEST_USER else {}
        except (ValueError, RecursionError):
            return None
        name = posted.get("name") if isinstance(posted, dict) else None
        parts = [name.get(part) for part in ("firstName", "lastName")] if isinstance(name, dict) else []
        return " ".join(part for part in parts if isinstance(part, str)) or None
