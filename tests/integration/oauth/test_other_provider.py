"""The happy path against a provider that others wrote."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]  # it ships no types

from entrypoints.oauth_section import GoogleSection, OAuthSection
from tests.integration.oauth.running import Browser, serving

with warnings.catch_warnings():
    # It uses what its own library has deprecated.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from oidc_provider_mock import User, run_server_in_thread  # type: ignore[import-untyped]  # it ships no types

ANA = User(sub="ana", claims={"email": "ana@example.org", "email_verified": True, "name": "Ana Pérez"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=[ANA], require_nonce=True) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_person_of_another_provider_signs_in(issuer: str) -> None:
    google = GoogleSection.model_validate({"client_id": "tradingcore", "client_secret": "of a test", "issuer": issuer})
    async with serving(oauth=OAuthSection(google=google)) as address:
        browser = Browser(address)
        url = await browser.begin("google")
        answer = await browser.http.post(url, data={"sub": "ana"})
        assert answer.status_code in (302, 303), answer.text
        code, body = await browser.complete(await browser.come_back(answer.headers["location"]))
        assert (code, body["status"]) == (200, "signed_in")
        bearer = f"Bearer {body['tokens']['access_token']}"
        _, account = await browser.json("GET", "/api/v1/account", authorization=bearer)
        assert (account["email"], account["display_name"], account["status"]) == ("ana@example.org", "Ana Pérez", "active")
