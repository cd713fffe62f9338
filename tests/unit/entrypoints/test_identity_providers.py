"""The section ``oauth``: what is on, at which addresses, and what is never shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from entrypoints.identity_providers import deletion_requests, identity_providers, local_provider
from entrypoints.oauth_section import OAuthSection
from entrypoints.settings import ConfigurationError, Environment, Settings, load
from tests.asvs import asvs
from tradingcore.auth.model.identity import Provider
from tradingcore.auth.model.oauth_flow import FlowProofs
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.testing.fakes import FakeClock

CLIENT = {"client_id": "client-1", "client_secret": "a secret of the client"}
PUBLIC_URL = "https://app.example"


def apple_key() -> str:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def everything() -> OAuthSection:
    apple = {"client_id": "com.example.web", "team_id": "TEAM", "key_id": "KEY", "private_key": apple_key()}
    return OAuthSection.model_validate({"google": CLIENT, "facebook": CLIENT, "x": CLIENT, "github": CLIENT, "apple": apple})


def test_nothing_is_on_unless_the_settings_say_so() -> None:
    assert identity_providers(OAuthSection(), public_url=PUBLIC_URL, clock=FakeClock()) == {}
    assert deletion_requests(OAuthSection(), public_url=PUBLIC_URL) == {}


def test_every_provider_can_be_switched_on() -> None:
    found = identity_providers(everything(), public_url=PUBLIC_URL, clock=FakeClock())
    assert set(found) == set(Provider) - {Provider.LOCAL}
    assert {name: provider.name for name, provider in found.items()} == {name: name for name in found}
    assert set(deletion_requests(everything(), public_url=PUBLIC_URL)) == {Provider.FACEBOOK}


@pytest.mark.parametrize("provider", [Provider.FACEBOOK, Provider.X, Provider.GITHUB])
async def test_redirect_address_comes_from_the_settings(provider: Provider) -> None:
    found = identity_providers(everything(), public_url=PUBLIC_URL, clock=FakeClock())
    proofs = FlowProofs.of(browser=opaque_token(b"b" * 32), state=opaque_token(b"s" * 32))
    asked = dict(parse_qsl(urlsplit(await found[provider].authorization_url(proofs)).query))
    assert asked["redirect_uri"] == f"{PUBLIC_URL}/api/v1/auth/providers/{provider.value}/callback"


@asvs("3.7.2")
@pytest.mark.parametrize(
    "section",
    [
        {"google": CLIENT | {"issuer": "http://accounts.example.org"}},
        {"google": CLIENT | {"issuer": "ftp://accounts.google.com"}},
        {"google": CLIENT | {"issuer": "https://"}},
        {"github": CLIENT | {"endpoints": {"token": "http://10.0.0.1/token"}}},
        {"github": CLIENT | {"endpoints": {"elsewhere": "https://github.com"}}},
        {"github": {"client_id": "client-1"}},
        {"github": {"client_id": "", "client_secret": "s"}},
        {"myspace": CLIENT},
        {"sign_in_path": "https://evil.example/"},
        {"sign_in_path": "//evil.example"},
        {"next_paths": ["/ok", "/\\evil"]},
        {"next_paths": ["/a?b=c"]},
    ],
    ids=str,
)
def test_settings_that_would_lead_elsewhere_are_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        OAuthSection.model_validate(section)


def test_wrong_setting_is_never_quoted_with_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADINGCORE__OAUTH__GITHUB__CLIENT_SECRET", "the secret itself")
    monkeypatch.setenv("TRADINGCORE__OAUTH__GITHUB__CLIENT_ID", "")
    with pytest.raises(ConfigurationError) as refused:
        load()
    assert "oauth.github.client_id" in str(refused.value)
    assert "secret itself" not in str(refused.value)
    assert "the secret itself" not in repr(OAuthSection.model_validate({"github": CLIENT | {"client_secret": "the secret itself"}}))


@asvs("15.2.3")
def test_local_provider_is_for_a_developers_machine() -> None:
    assert Settings(storage="memory").has_local_provider
    with pytest.raises(ValueError, match="of this machine"):
        local_provider(public_url=PUBLIC_URL, clock=FakeClock())
    with pytest.raises(ValueError, match="development only"):
        Settings(environment=Environment.PRODUCTION, storage="memory", oauth=OAuthSection(local=True))
