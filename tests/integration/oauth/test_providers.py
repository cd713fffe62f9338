"""What each provider proves when all goes well, and what of it is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.table import Table
from adapters.oauth.apple import AppleIdentityProvider
from adapters.oauth.facebook import FacebookIdentityProvider
from adapters.oauth.github import GitHubIdentityProvider
from adapters.oauth.openid import OpenIdIdentityProvider
from adapters.oauth.x import XIdentityProvider
from tests.asvs import asvs
from tests.integration.oauth.fake_provider import CLIENT_SECRET, Person, Reply, ec_key, rsa_key, sign_with
from tests.integration.oauth.flow_cases import Scene
from tests.integration.oauth.kits import OPENID, PROVIDERS, Kit
from tradingcore.auth.errors import IdentityRefused
from tradingcore.auth.model.identity import EmailTrust, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.ports.identities import IdentityProvider
from tradingcore.kernel.errors import Unavailable
from tradingcore.testing.auth.identity_providers import Approve, IdentityProviderContract

ADAPTERS: dict[Provider, type] = {
    Provider.GOOGLE: OpenIdIdentityProvider,
    Provider.APPLE: AppleIdentityProvider,
    Provider.FACEBOOK: FacebookIdentityProvider,
    Provider.X: XIdentityProvider,
    Provider.GITHUB: GitHubIdentityProvider,
    Provider.LOCAL: OpenIdIdentityProvider,
}


class TestOAuthProviders(IdentityProviderContract):
    @pytest.fixture(params=[*PROVIDERS, Provider.LOCAL])
    def kit(self, request: pytest.FixtureRequest) -> Kit:
        return Kit(request.param)

    @pytest.fixture
    def provider(self, kit: Kit) -> IdentityProvider:
        assert isinstance(kit.adapter, ADAPTERS[kit.provider])
        return kit.adapter

    @pytest.fixture
    def approve(self, kit: Kit) -> Approve:
        return kit.fake.approve


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_person_is_known_by_the_lasting_subject(provider: Provider) -> None:
    found = await Kit(provider).identify()
    assert (found.provider, found.subject, found.name) == (provider, "1234567890", "Maria Example")
    assert str(found.email) == "maria@example.org"
    assert found.email_trust is (EmailTrust.PROVIDER if provider is Provider.FACEBOOK else EmailTrust.VERIFIED)


@asvs("6.8.1")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_address_that_nobody_verified_is_not_trusted(provider: Provider) -> None:
    kit = Kit(provider)
    found = await kit.identify(await kit.approved(Person(is_verified=False)))
    assert found.email_trust is not EmailTrust.VERIFIED
    assert (found.email is None) is (provider in (Provider.X, Provider.GITHUB))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_person_without_an_address_can_sign_in(provider: Provider) -> None:
    kit = Kit(provider)
    found = await kit.identify(await kit.approved(Person(email=None)))
    assert (found.subject, found.email, found.email_trust) == ("1234567890", None, EmailTrust.NONE)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_address_that_is_none_is_left_out(provider: Provider) -> None:
    kit = Kit(provider)
    found = await kit.identify(await kit.approved(Person(email="maria@localhost\r\nBcc: x@y.z")))
    assert (found.email, found.email_trust) == (None, EmailTrust.NONE)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_name_is_made_fit_to_be_shown(provider: Provider) -> None:
    kit = Kit(provider)
    found = await kit.identify(await kit.approved(Person(name="\u202eMaria\x00  " + "x" * 200)))
    assert found.name is not None
    assert found.name.startswith("Maria x")
    assert len(found.name) == 80
    assert found.name.isprintable()


@asvs("10.1.2")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_each_flow_asks_with_secrets_of_its_own(provider: Provider) -> None:
    kit = Kit(provider)
    url = await kit.adapter.authorization_url(kit.proofs)
    other = await kit.adapter.authorization_url(FlowProofs.of(browser=opaque_token(b"o" * 32), state=kit.proofs.state))
    asked, again = (dict(parse_qsl(urlsplit(address).query)) for address in (url, other))
    assert asked["code_challenge"] != again["code_challenge"]
    assert kit.proofs.code_verifier not in url
    if provider in OPENID:
        assert asked["nonce"] != again["nonce"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_code_works_once(provider: Provider) -> None:
    kit = Kit(provider)
    answer = await kit.approved()
    await kit.identify(answer)
    with pytest.raises(IdentityRefused):
        await kit.identify(answer)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_answer_that_names_its_issuer_is_taken(provider: Provider) -> None:
    kit = Kit(provider)
    answer = replace(await kit.approved(), issuer=kit.fake.issuer)
    assert (await kit.identify(answer)).subject == "1234567890"


@asvs("10.2.2")
@pytest.mark.parametrize("provider", OPENID)
async def test_provider_that_always_names_itself_must_do_so(provider: Provider) -> None:
    kit = Kit(provider)
    kit.fake.metadata = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(IdentityRefused) as refused:
        await kit.identify(await kit.approved())
    assert refused.value.reason == "issuer of the answer"


@pytest.mark.parametrize("provider", OPENID)
@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://attacker.example"},
        {"token_endpoint": "http://provider.example/google/token"},
        {"jwks_uri": "ftp://provider.example/keys"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://[::1"},
        {"token_endpoint": "http://127.0.0.1.attacker.example/token"},
    ],
    ids=str,
)
async def test_metadata_is_believed_only_of_the_issuer_that_is_configured(provider: Provider, metadata: dict[str, str]) -> None:
    kit = Kit(provider)
    kit.fake.metadata = metadata
    with pytest.raises(Unavailable):
        await kit.adapter.authorization_url(kit.proofs)


@pytest.mark.parametrize("provider", OPENID)
async def test_invented_keys_do_not_become_a_flood_of_calls(provider: Provider) -> None:
    kit = Kit(provider)
    await kit.identify()
    for number in range(50):
        kit.fake.header = lambda header, number=number: header | {"kid": f"invented-{number}"}  # type: ignore[misc]  # a default
        with pytest.raises(IdentityRefused):
            await kit.identify()
    assert kit.fake.calls.count("/keys") == 1
    kit.clock.advance(timedelta(minutes=1))
    for _ in range(50):
        with pytest.raises(IdentityRefused):
            await kit.identify()
    assert kit.fake.calls.count("/keys") == 2


@pytest.mark.parametrize("provider", OPENID)
async def test_known_keys_serve_while_the_provider_hides_them(provider: Provider) -> None:
    kit = Kit(provider)
    await kit.identify()
    kit.fake.replies["/keys"] = Reply(500, {})
    kit.clock.advance(timedelta(minutes=59))
    await kit.identify()
    kit.clock.advance(timedelta(minutes=2))
    # Neither the call that asks for them, nor those of the next minute, which may not ask.
    for _ in range(2):
        with pytest.raises(Unavailable):
            await kit.identify()


@pytest.mark.parametrize("provider", OPENID)
async def test_keys_rotate(provider: Provider) -> None:
    kit = Kit(provider)
    await kit.identify()
    kit.clock.advance(timedelta(minutes=2))
    kit.fake.keys = [rsa_key("key-2").as_dict(private=False), ec_key().as_dict(private=False)]
    for key, header in ((rsa_key("key-2"), {"alg": "RS256", "kid": "key-2"}), (ec_key(), {"alg": "ES256", "kid": "ec-1"})):
        kit.fake.sign = sign_with(key)
        kit.fake.header = lambda _, header=header: header  # type: ignore[misc]  # a default
        assert (await kit.identify()).subject == "1234567890"


@pytest.mark.parametrize("provider", OPENID)
async def test_only_key_needs_no_name(provider: Provider) -> None:
    kit = Kit(provider)
    kit.fake.keys = [{name: value for name, value in rsa_key().as_dict(private=False).items() if name != "kid"}]
    kit.fake.header = lambda header: {"alg": header["alg"]}
    assert (await kit.identify()).subject == "1234567890"


async def test_apple_gets_a_secret_that_holds_for_five_minutes() -> None:
    kit = Kit(Provider.APPLE)
    await kit.identify()
    secret = kit.fake.seen["secret"]
    assert secret["exp"] - secret["iat"] == 300
    assert secret["iat"] == kit.clock.now().timestamp()


@pytest.mark.parametrize("user", ["{", "[" * 5000, "[]", '{"name": "Maria"}', '{"name": {"firstName": 7}}', "{}" + " " * 5000])
async def test_apple_user_of_another_shape_is_no_obstacle(user: str) -> None:
    kit = Kit(Provider.APPLE)
    found = await kit.identify(replace(await kit.approved(), user=user))
    assert (found.subject, found.name) == ("1234567890", None)


async def test_address_that_the_browser_posts_for_apple_is_not_read() -> None:
    kit = Kit(Provider.APPLE)
    answer = replace(await kit.approved(Person(email=None)), user='{"email": "victim@example.org"}')
    assert (await kit.identify(answer)).email is None


async def test_facebook_is_shown_that_the_secret_is_known() -> None:
    kit = Kit(Provider.FACEBOOK)
    await kit.identify()
    assert len(kit.fake.seen["/user"]["appsecret_proof"]) == 64
    assert "access_token" not in kit.fake.seen["/user"]


async def test_github_address_may_be_withheld() -> None:
    for status in (403, 404):
        kit = Kit(Provider.GITHUB)
        kit.fake.replies["/emails"] = Reply(status, {"message": "Not Found"})
        assert (await kit.identify()).email is None


async def test_github_takes_the_first_of_the_verified_addresses() -> None:
    kit = Kit(Provider.GITHUB)
    kit.fake.emails = lambda emails: [
        {"email": "new@example.org", "primary": True, "verified": False},
        {"email": "claimed@example.org", "primary": False, "verified": "true"},
        "nonsense",
        *[entry | {"primary": False} for entry in emails],
    ]
    assert str((await kit.identify()).email) == "second@example.org"


@asvs("10.2.3")
async def test_only_what_names_a_person_is_asked_for() -> None:
    asked = {}
    for provider in PROVIDERS:
        kit = Kit(provider)
        query = dict(parse_qsl(urlsplit(await kit.adapter.authorization_url(kit.proofs)).query))
        asked[provider] = query["scope"]
    assert asked == {
        Provider.GOOGLE: "openid email profile",
        Provider.APPLE: "openid email name",
        Provider.FACEBOOK: "public_profile email",
        Provider.X: "users.read tweet.read users.email",
        Provider.GITHUB: "user:email",
    }


@asvs("10.1.1")
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_nothing_of_a_providers_tokens_stays(provider: Provider) -> None:
    scene = Scene(provider)
    begun = await scene.begun()
    outcome = await scene.world.completed(await scene.handle(*scene.approved(begun)), begun.browser)
    assert scene.kits[provider].fake.tokens
    kept = repr([*vars_of(scene.world.database), outcome])
    assert not [token for token in scene.kits[provider].fake.tokens if token in kept]


def vars_of(database: MemoryDatabase) -> list[object]:
    """Everything that is stored."""
    tables = [getattr(database, name) for name in database.__slots__]
    return [row for table in tables if isinstance(table, Table) for row in table.rows.values()]


async def test_secrets_never_travel_in_an_address() -> None:
    for provider in PROVIDERS:
        kit = Kit(provider)
        url = await kit.adapter.authorization_url(kit.proofs)
        assert CLIENT_SECRET not in url
        assert set(parse_qs(urlsplit(url).query)) <= {
            *("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"),
            *("nonce", "response_mode"),
        }
