from __future__ import annotations

from dataclasses import dataclass

import httpx2

from adapters.oauth.calls import ProviderCalls
from adapters.oauth.claims import proven
from adapters.oauth.client import OAuthClient
from adapters.oauth.code_grant import CodeGrant
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.ports.identities import IdentityProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class XEndpoints:
    issuer: str = "https://x.com"
    authorize: str = "https://x.com/i/oauth2/authorize"
    token: str = "https://api.x.com/2/oauth2/token"  # noqa: S105 - an address
    user: str = "https://api.x.com/2/users/me"


class XIdentityProvider(IdentityProvider):
    """A confidential client. Many accounts have no address, and one comes only with the scope ``users.email``."""

    def __init__(self, client: OAuthClient, http: httpx2.AsyncClient, *, endpoints: XEndpoints | None = None) -> None:
        self._endpoints = endpoints or XEndpoints()
        self._calls = ProviderCalls(Provider.X, http)
        self._grant = CodeGrant(
            self._calls,
            client,
            issuer=self._endpoints.issuer,
            scope="users.read tweet.read users.email",  # reading the own user asks for both of the first
            auth_method="client_secret_basic",
        )

    @property
    def name(self) -> Provider:
        return Provider.X

    @property
    def title(self) -> str:
        return "X"

    @property
    def proves_presence(self) -> bool:
        return False

    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        return self._grant.authorization_url(self._endpoints.authorize, proofs)

    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        code = self._grant.code_of(answer)
        token = (await self._grant.redeem(self._endpoints.token, code, proofs))["access_token"]
        user = await self._calls.get(self._endpoints.user, token=token, params={"user.fields": "confirmed_email"})
        data = user.as_object().get("data")
        if not user.is_ok or not isinstance(data, dict):
            raise self._calls.refused("no user")
        return proven(
            self._calls,
            subject=data.get("id"),
            email=data.get("confirmed_email"),
            is_verified=True,
            name=data.get("name"),
        )
