from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2

from adapters.oauth.calls import ProviderCalls
from adapters.oauth.claims import proven
from adapters.oauth.client import OAuthClient
from adapters.oauth.code_grant import CodeGrant
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.ports.identities import IdentityProvider

_API: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubEndpoints:
    issuer: str = "https://github.com/login/oauth"
    authorize: str = "https://github.com/login/oauth/authorize"
    token: str = "https://github.com/login/oauth/access_token"  # noqa: S105 - an address
    user: str = "https://api.github.com/user"
    emails: str = "https://api.github.com/user/emails"


class GitHubIdentityProvider(IdentityProvider):
    """The numeric id is the subject: login names are given to others later. The address of the profile is never used."""

    def __init__(self, client: OAuthClient, http: httpx2.AsyncClient, *, endpoints: GitHubEndpoints | None = None) -> None:
        self._endpoints = endpoints or GitHubEndpoints()
        self._calls = ProviderCalls(Provider.GITHUB, http)
        self._grant = CodeGrant(self._calls, client, issuer=self._endpoints.issuer, scope="user:email")

    @property
    def name(self) -> Provider:
        return Provider.GITHUB

    @property
    def title(self) -> str:
        return "GitHub"

    @property
    def proves_presence(self) -> bool:
        return False

    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        return self._grant.authorization_url(self._endpoints.authorize, proofs)

    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        code = self._grant.code_of(answer)
        token = (await self._grant.redeem(self._endpoints.token, code, proofs))["access_token"]
        user = await self._calls.get(self._endpoints.user, token=token, headers=_API)
        number = user.as_object().get("id")
        if not user.is_ok or not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            raise self._calls.refused("no user")
        return proven(
            self._calls,
            subject=str(number),
            email=await self._verified_email(token),
            is_verified=True,
            name=user.as_object().get("name"),
        )

    async def _verified_email(self, token: str) -> str | None:
        answer = await self._calls.get(self._endpoints.emails, token=token, headers=_API)
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return None  # the person did not grant the scope
        listed = answer.value if answer.is_ok and isinstance(answer.value, list) else []
        verified = [entry for entry in listed if _is_verified(entry)]
        verified.sort(key=lambda entry: entry.get("primary") is not True)
        return verified[0]["email"] if verified else None


def _is_verified(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("verified") is True and isinstance(entry.get("email"), str)
