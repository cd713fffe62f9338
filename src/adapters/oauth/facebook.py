from __future__ import annotations

import hmac
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
class FacebookEndpoints:
    issuer: str = "https://www.facebook.com"
    authorize: str = "https://www.facebook.com/v23.0/dialog/oauth"
    token: str = "https://graph.facebook.com/v23.0/oauth/access_token"  # noqa: S105 - an address
    user: str = "https://graph.facebook.com/v23.0/me"


class FacebookIdentityProvider(IdentityProvider):
    """Its address counts as unverified: the Graph API does not say when, or whether, anybody proved to receive mail there."""

    def __init__(self, client: OAuthClient, http: httpx2.AsyncClient, *, endpoints: FacebookEndpoints | None = None) -> None:
        self._endpoints = endpoints or FacebookEndpoints()
        self._secret = client.client_secret.encode()
        self._calls = ProviderCalls(Provider.FACEBOOK, http)
        self._grant = CodeGrant(self._calls, client, issuer=self._endpoints.issuer, scope="public_profile email")

    @property
    def name(self) -> Provider:
        return Provider.FACEBOOK

    @property
    def title(self) -> str:
        return "Facebook"

    @property
    def proves_presence(self) -> bool:
        return False

    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        return self._grant.authorization_url(self._endpoints.authorize, proofs)

    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        code = self._grant.code_of(answer)
        token = (await self._grant.redeem(self._endpoints.token, code, proofs))["access_token"]
        # Shows that the call comes from the server that knows the secret, not from whoever found the token.
        proof = hmac.digest(self._secret, token.encode(), "sha256").hex()
        user = await self._calls.get(
            self._endpoints.user, token=token, params={"fields": "id,name,email", "appsecret_proof": proof}
        )
        if not user.is_ok:
            raise self._calls.refused("no user")
        found = user.as_object()
        return proven(self._calls, subject=found.get("id"), email=found.get("email"), name=found.get("name"))
