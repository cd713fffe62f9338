"""Each provider with a fake behind it, ready to be attacked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from adapters.oauth.apple import AppleIdentityProvider, AppleKey
from adapters.oauth.client import OAuthClient
from adapters.oauth.facebook import FacebookEndpoints, FacebookIdentityProvider
from adapters.oauth.github import GitHubEndpoints, GitHubIdentityProvider
from adapters.oauth.openid import OpenIdIdentityProvider
from adapters.oauth.x import XEndpoints, XIdentityProvider
from tests.integration.oauth.fake_provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, Person, ec_key
from tradingcore.auth.model.identity import ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, ProviderAnswer
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.ports.identities import IdentityProvider
from tradingcore.testing.fakes import FakeClock

PROVIDERS: Final = (Provider.GOOGLE, Provider.APPLE, Provider.FACEBOOK, Provider.X, Provider.GITHUB)
OPENID: Final = (Provider.GOOGLE, Provider.APPLE)
PLAIN: Final = (Provider.FACEBOOK, Provider.X, Provider.GITHUB)

BROWSER: Final = opaque_token(b"b" * 32)
STATE: Final = opaque_token(b"s" * 32)


def adapter_of(fake: FakeProvider, http: httpx2.AsyncClient, clock: FakeClock) -> IdentityProvider:
    client = OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=fake.redirect_uri)
    base = fake.issuer
    addresses: dict[str, Any] = {"issuer": base, "authorize": f"{base}/authorize", "token": f"{base}/token", "user": f"{base}/user"}
    match fake.provider:
        case Provider.APPLE:
            key = AppleKey(team_id="TEAM", key_id="team-key", private_key=ec_key("team-key").as_pem(private=True).decode())
            return AppleIdentityProvider(client, key, http, clock, issuer=base)
        case Provider.FACEBOOK:
            return FacebookIdentityProvider(client, http, endpoints=FacebookEndpoints(**addresses))
        case Provider.X:
            return XIdentityProvider(client, http, endpoints=XEndpoints(**addresses))
        case Provider.GITHUB:
            return GitHubIdentityProvider(client, http, endpoints=GitHubEndpoints(**addresses, emails=f"{base}/emails"))
    return OpenIdIdentityProvider(
        fake.provider, client, http, clock, title="Google", issuer=base, can_ask_again=fake.provider is Provider.LOCAL
    )


@dataclass
class Kit:
    """One adapter and its fake. ``answer`` is what the browser brings back; cases bend it and the fake before `identify`."""

    provider: Provider
    clock: FakeClock = field(default_factory=lambda: FakeClock())
    proofs: FlowProofs = field(default_factory=lambda: FlowProofs.of(browser=BROWSER, state=STATE))

    def __post_init__(self) -> None:
        self.fake = FakeProvider(self.provider, now=lambda: self.clock.now().timestamp())
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.fake))
        self.adapter = adapter_of(self.fake, self.http, self.clock)

    async def approved(self, person: Person | None = None) -> ProviderAnswer:
        state, answer = self.fake.approve(await self.adapter.authorization_url(self.proofs), person)
        assert state == self.proofs.state
        return answer

    async def identify(self, answer: ProviderAnswer | None = None) -> ProvenIdentity:
        return await self.adapter.identify(answer or await self.approved(), self.proofs)
