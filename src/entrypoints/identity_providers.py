"""From the settings to the identity providers that are on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from entrypoints.oauth_section import AppleSection, OAuthClientSection, OAuthSection, PlainProviderSection
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.ports.identities import DeletionRequests, IdentityProvider
from tradingcore.kernel.ports import Clock

if TYPE_CHECKING:
    import httpx2

    from adapters.oauth.client import OAuthClient
    from adapters.oauth.local_provider import LocalProvider

LOCAL_PATH: Final = "/dev/identity"
CALLBACK_PATH: Final = "/api/v1/auth/providers/{}/callback"

_HOSTS: Final[Mapping[Provider, frozenset[str]]] = {
    Provider.GOOGLE: frozenset({"oauth2.googleapis.com", "www.googleapis.com"}),
    Provider.FACEBOOK: frozenset({"graph.facebook.com"}),
    Provider.X: frozenset({"api.x.com"}),
    Provider.GITHUB: frozenset({"github.com", "api.github.com"}),
}
"""What each provider is called at, besides its issuer and what the settings name."""


def identity_providers(
    section: OAuthSection,
    *,
    public_url: str,
    clock: Clock,
    local: Callable[[], LocalProvider] | None = None,
) -> Mapping[Provider, IdentityProvider]:
    """Those that are on, by name. Nothing is called before somebody signs in. ``local`` is given in development only."""
    found = [*_providers(section, public_url, clock), *([] if local is None else [_local(local(), clock)])]
    return {provider.name: provider for provider in found}


def local_provider(*, public_url: str, clock: Clock) -> LocalProvider:
    """Our own provider, which the API serves beside itself. Raises `ValueError` unless ``public_url`` is of this machine."""
    from adapters.oauth.local_provider import LocalProvider

    redirect_uri = _redirect_uri(Provider.LOCAL, public_url)
    return LocalProvider(issuer=public_url + LOCAL_PATH, redirect_uri=redirect_uri, clock=clock)


def deletion_requests(section: OAuthSection, *, public_url: str) -> Mapping[Provider, DeletionRequests]:
    """Of the providers that send such requests."""
    if section.facebook is None:
        return {}
    from adapters.oauth.facebook_deletion import FacebookDeletionRequests

    return {Provider.FACEBOOK: FacebookDeletionRequests(_client(section.facebook, Provider.FACEBOOK, public_url))}


def _providers(section: OAuthSection, public_url: str, clock: Clock) -> Iterator[IdentityProvider]:
    if section.google is not None:
        from adapters.oauth.openid import OpenIdIdentityProvider

        google = section.google
        client, http = _client(google, Provider.GOOGLE, public_url), _http(Provider.GOOGLE, [google.issuer])
        yield OpenIdIdentityProvider(Provider.GOOGLE, client, http, clock, title="Google", issuer=google.issuer)
    if section.apple is not None:
        yield _apple(section.apple, public_url, clock)
    if section.facebook is not None:
        from adapters.oauth.facebook import FacebookEndpoints, FacebookIdentityProvider

        client, http, changed = _plain(section.facebook, Provider.FACEBOOK, public_url)
        yield FacebookIdentityProvider(client, http, endpoints=FacebookEndpoints(**changed))
    if section.x is not None:
        from adapters.oauth.x import XEndpoints, XIdentityProvider

        client, http, changed = _plain(section.x, Provider.X, public_url)
        yield XIdentityProvider(client, http, endpoints=XEndpoints(**changed))
    if section.github is not None:
        from adapters.oauth.github import GitHubEndpoints, GitHubIdentityProvider

        client, http, changed = _plain(section.github, Provider.GITHUB, public_url)
        yield GitHubIdentityProvider(client, http, endpoints=GitHubEndpoints(**changed))


def _local(provider: LocalProvider, clock: Clock) -> IdentityProvider:
    from adapters.oauth.openid import OpenIdIdentityProvider

    return OpenIdIdentityProvider(
        Provider.LOCAL,
        provider.client,
        _http(Provider.LOCAL, [provider.issuer]),
        clock,
        title="this machine",
        issuer=provider.issuer,
        can_ask_again=True,
    )


def _apple(apple: AppleSection, public_url: str, clock: Clock) -> IdentityProvider:
    from adapters.oauth.apple import AppleIdentityProvider, AppleKey
    from adapters.oauth.client import OAuthClient

    client = OAuthClient(client_id=apple.client_id, client_secret="", redirect_uri=_redirect_uri(Provider.APPLE, public_url))
    key = AppleKey(team_id=apple.team_id, key_id=apple.key_id, private_key=apple.private_key.get_secret_value())
    return AppleIdentityProvider(client, key, _http(Provider.APPLE, [apple.issuer]), clock, issuer=apple.issuer)


def _plain(
    section: PlainProviderSection, provider: Provider, public_url: str
) -> tuple[OAuthClient, httpx2.AsyncClient, dict[str, Any]]:
    addresses: dict[str, Any] = {str(name): address for name, address in section.endpoints.items()}
    return _client(section, provider, public_url), _http(provider, addresses.values()), addresses


def _client(section: OAuthClientSection, provider: Provider, public_url: str) -> OAuthClient:
    from adapters.oauth.client import OAuthClient

    return OAuthClient(
        client_id=section.client_id,
        client_secret=section.client_secret.get_secret_value(),
        redirect_uri=_redirect_uri(provider, public_url),
    )


def _redirect_uri(provider: Provider, public_url: str) -> str:
    return public_url + CALLBACK_PATH.format(provider.value)


def _http(provider: Provider, addresses: Iterable[str]) -> httpx2.AsyncClient:
    from adapters.httpx2.egress import EgressRules, egress_client

    parts = [urlsplit(address) for address in addresses]
    named = frozenset(part.hostname for part in parts if part.hostname)
    # The settings take plain http for addresses of this machine only.
    return egress_client(
        EgressRules(hosts=_HOSTS.get(provider, frozenset()) | named, allows_loopback=any(part.scheme == "http" for part in parts))
    )
