"""The whole dance through a running server, with the provider that it serves beside itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio

from adapters.oauth.local_provider import LocalProvider, RequestRefused
from entrypoints.oauth_section import OAuthSection
from entrypoints.sections import HttpSection
from entrypoints.settings import Environment, Settings
from tests.integration.oauth.running import API, Browser, serving
from tradingcore.auth.model.oauth_flow import FlowProofs
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.testing.fakes import FakeClock

CALLBACK = "http://127.0.0.1:8000/api/v1/auth/providers/local/callback"
PROOFS = FlowProofs.of(browser=opaque_token(b"b" * 32), state=opaque_token(b"s" * 32))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address() -> AsyncIterator[str]:
    async with serving() as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("subject", "status", "email"),
    [("local-ana", "active", "ana.local@example.org"), ("local-bruno", "unverified", "bruno.local@example.org")],
)
async def test_person_signs_in_and_is_known(address: str, subject: str, status: str, email: str) -> None:
    users = set()
    for _ in range(2):
        browser = Browser(address)
        told = await browser.come_back(await browser.choose(await browser.begin("local"), subject))
        code, body = await browser.complete(told)
        assert (code, body["status"]) == (200, "signed_in")
        bearer = f"Bearer {body['tokens']['access_token']}"
        _, account = await browser.json("GET", "/api/v1/account", authorization=bearer)
        assert (account["status"], account["email"]) == (status, email)
        users.add(account["id"])
        # The refresh token of a provider's sign-in is one like any other.
        code, fresh = await browser.json("POST", f"{API}/refresh", {"refresh_token": body["tokens"]["refresh_token"]})
        assert (code, bool(fresh["access_token"])) == (200, True)
    assert len(users) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_person_who_says_no_is_not_signed_in(address: str) -> None:
    browser = Browser(address)
    told = await browser.come_back(await browser.choose(await browser.begin("local"), ""))
    code, body = await browser.complete(told)
    assert (code, body["code"]) == (401, "auth.identity_refused")


@pytest.mark.asyncio(loop_scope="module")
async def test_stolen_answer_is_worth_nothing_in_another_browser(address: str) -> None:
    mine, thief = Browser(address), Browser(address)
    location = await mine.choose(await mine.begin("local"), "local-ana")
    await thief.begin("local")
    code, body = await thief.complete(await thief.come_back(location))
    assert (code, body["code"]) == (400, "auth.provider_flow_unknown")
    assert (await mine.complete(await mine.come_back(location)))[0] == 200


@pytest.mark.asyncio(loop_scope="module")
async def test_step_up_asks_the_person_again(address: str) -> None:
    browser = Browser(address)
    told = await browser.come_back(await browser.choose(await browser.begin("local"), "local-carla"))
    _, body = await browser.complete(told)
    bearer = f"Bearer {body['tokens']['access_token']}"
    status, begun = await browser.json(
        "POST", f"{API}/providers/local/authorizations", {"purpose": "step_up"}, authorization=bearer
    )
    assert status == 201
    assert parse_qs(urlsplit(begun["authorization_url"]).query)["prompt"] == ["login"]
    told = await browser.come_back(await browser.choose(begun["authorization_url"], "local-carla"))
    status, body = await browser.json("POST", f"{API}/providers/completions", {"handle": told["handle"]}, authorization=bearer)
    assert (status, body["status"]) == (200, "stepped_up")


async def test_production_serves_no_provider_where_anybody_may_be_anybody() -> None:
    settings = Settings(environment=Environment.PRODUCTION, storage="memory", http=HttpSection(public_url="https://app.example"))
    assert not settings.has_local_provider
    public = HttpSection(public_url="https://app.example")
    with pytest.raises(ValueError, match="development only"):
        Settings(environment=Environment.PRODUCTION, storage="memory", http=public, oauth=OAuthSection(local=True))
    with pytest.raises(ValueError, match="of this machine"):
        Settings(storage="memory", http=HttpSection(public_url="https://app.example"), oauth=OAuthSection(local=True))
    for issuer in ("https://127.0.0.1/dev/identity", "http://example.org", "http://10.0.0.1"):
        with pytest.raises(ValueError, match="of this machine"):
            LocalProvider(issuer=issuer, redirect_uri=CALLBACK, clock=FakeClock())


async def test_it_can_be_switched_off() -> None:
    assert Settings(storage="memory").has_local_provider
    assert not Settings(storage="memory", oauth=OAuthSection(local=False)).has_local_provider
    assert not Settings(storage="memory", http=HttpSection(port=0)).has_local_provider


# As strict as a real one.


def provider() -> LocalProvider:
    return LocalProvider(issuer="http://127.0.0.1:8000/dev/identity", redirect_uri=CALLBACK, clock=FakeClock())


def a_request(**changes: str | None) -> dict[str, str]:
    asked = {
        "client_id": "tradingcore",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": PROOFS.state,
        "nonce": PROOFS.nonce,
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (asked | changes).items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": "http://evil.example/callback"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"state": None},
        {"nonce": None},
        {"scope": "email"},
    ],
    ids=str,
)
def test_request_that_is_not_whole_gets_no_page(changes: dict[str, str | None]) -> None:
    with pytest.raises(RequestRefused):
        provider().ask(a_request(**changes))


def test_question_and_code_work_once() -> None:
    local = provider()
    question = local.ask(a_request())
    location = local.answer(question, "local-ana")
    with pytest.raises(RequestRefused):
        local.answer(question, "local-ana")
    code = parse_qs(urlsplit(location).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": "wrong"}
    client = {"client_id": local.client.client_id, "client_secret": local.client.client_secret}
    assert local.redeem(form, None)[0] == 401
    assert local.redeem(form | client | {"client_secret": "x"}, None)[0] == 401
    assert local.redeem(form | client, "Basic !!!")[0] == 401
    # A wrong verifier costs the code.
    assert local.redeem(form | client, None) == (400, {"error": "invalid_grant"})
    assert local.redeem(form | client, None) == (400, {"error": "invalid_grant"})
    assert local.redeem({**form, **client, "grant_type": "password"}, None) == (400, {"error": "unsupported_grant_type"})
    assert urlencode({"iss": local.issuer}) in location
