from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2

from adapters.oauth.calls import ProviderCalls
from adapters.oauth.claims import is_true, proven
from adapters.oauth.client import OAuthClient
from adapters.oauth.code_grant import AuthMethod, CodeGrant
from adapters.oauth.id_token import IdTokens
from adapters.oauth.metadata import Discovery
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.ports.identities import IdentityProvider
from tradingcore.kernel.ports import Clock


class OpenIdIdentityProvider(IdentityProvider):
    """A provider that speaks OpenID Connect; Google, and the one of a developer's own machine, need nothing more.

    ``can_ask_again``: it honours ``prompt=login`` and says in ``auth_time`` when the person signed in.
    """

    def __init__(
        self,
        provider: Provider,
        client: OAuthClient,
        http: httpx2.AsyncClient,
        clock: Clock,
        *,
        title: str,
        issuer: str,
        scope: str = "openid email profile",
        auth_method: AuthMethod = "client_secret_post",
        extra: Mapping[str, str] | None = None,
        can_ask_again: bool = False,
    ) -> None:
        self._provider = provider
        self._title = title
        self._can_ask_again = can_ask_again
        self._calls = ProviderCalls(provider, http)
        self._discovery = Discovery(self._calls, issuer, clock)
        self._grant = CodeGrant(self._calls, client, issuer=issuer, scope=scope, auth_method=auth_method, extra=extra)
        self._id_tokens = IdTokens(self._calls, clock, issuer=issuer, client_id=client.client_id)

    @property
    def name(self) -> Provider:
        return self._provider

    @property
    def title(self) -> str:
        return self._title

    @property
    def proves_presence(self) -> bool:
        return self._can_ask_again

    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        metadata = await self._discovery.metadata()
        again = {"prompt": "login", "max_age": "0"} if is_fresh else {}
        return self._grant.authorization_url(metadata.authorize, proofs, nonce=proofs.nonce, **again)

    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        metadata = await self._discovery.metadata()
        code = self._grant.code_of(answer, names_itself=metadata.names_itself)
        tokens = await self._grant.redeem(metadata.token, code, proofs, secret=self._secret())
        claims = await self._id_tokens.verify(tokens, keys_address=metadata.keys, nonce=proofs.nonce)
        return proven(
            self._calls,
            subject=claims["sub"],
            email=claims.get("email"),
            is_verified=is_true(claims.get("email_verified")),
            name=self._name_in(claims, answer),
            authenticated_at=_moment(claims.get("auth_time")),
        )

    def _secret(self) -> str | None:
        """Another secret than the configured one, where one is made for each call."""
        return None

    def _name_in(self, claims: Mapping[str, Any], answer: ProviderAnswer) -> Any:
        return claims.get("name")


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**33:
        return None
    return datetime.fromtimestamp(value, UTC)
