"""A number is proven through the API, with the SDK speaking to a stand-in of the provider that reports back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from dependency_injector import providers
from pydantic import SecretStr

from entrypoints.phones_section import PhonesSection
from tests.integration.twilio.stub import ACCOUNT, SERVICE, TOKEN, TwilioStub, report, signature
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.world import World

PHONE = "/api/v1/account/phone"


def a_world(stub: TwilioStub, provider: Any) -> World:
    world = World()
    section = PhonesSection(
        provider=provider,
        countries=("ES",),
        account_sid=ACCOUNT,
        auth_token=SecretStr(TOKEN),
        verify_service=SERVICE,
        sms_from="+15005550006",
        api_url=stub.url,
    )
    world.container.phones.override(providers.Object(section))
    world.container.phone_kind.override(providers.Object(provider))
    return world


async def reported(world: World, url: str) -> int:
    """What the provider's report is answered with, sent to the address that came with the message."""
    (sent,) = world.container.send_ledger().sends.values()
    form = report(sent.reference, "delivered")
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature(url, form)}
    async with world.client() as provider:
        return (await provider.post(urlsplit(url).path, content=urlencode(form), headers=headers)).status_code


@pytest.mark.parametrize("provider", ["messages", "verify"])
async def test_number_is_proven_through_the_provider(stub: TwilioStub, provider: str) -> None:
    world = a_world(stub, provider)
    async with await signed_in(world, await an_owner(world)) as client:
        started = await client.post(f"{PHONE}/proofs", json={"number": "+34 612 34 56 78"})
        assert started.status_code == 202
        ((_, form),) = stub.requests
        code = form["Body"][:6] if provider == "messages" else next(iter(stub.codes.values()))
        wrong = f"{(int(code) + 1) % 10**6:06}"
        path = f"{PHONE}/proofs/{started.json()['id']}/confirmation"
        assert (await client.post(path, json={"code": wrong})).status_code == 400
        assert (await client.post(path, json={"code": code})).status_code == 200
        assert (await client.get(PHONE)).json()["number"] == "+34612345678"
    if provider == "messages":
        assert await reported(world, form["StatusCallback"]) == 204
        assert [send.state for send in world.container.send_ledger().sends.values()] == ["delivered"]
