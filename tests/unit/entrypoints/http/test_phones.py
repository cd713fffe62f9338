"""Phone proofs over HTTP, and the reports of the provider."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from dependency_injector import providers
from pydantic import SecretStr

from entrypoints.phone_gateways import STATUS_PATH
from entrypoints.phones_section import PhonesSection
from tests.asvs import asvs
from tests.integration.twilio.stub import ACCOUNT, TOKEN, report, signature
from tests.unit.entrypoints.http.people import an_owner, signed_in
from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.phone import DeliveryState
from tradingcore.testing.auth.phone_budgets import a_send, spend_limits
from tradingcore.testing.builders import an_id

PHONE = "/api/v1/account/phone"
NUMBER = "+34 612 34 56 78"
STATUS_URL = f"http://127.0.0.1:8000{STATUS_PATH}"


SECTION = PhonesSection(countries=("ES",), account_sid=ACCOUNT, auth_token=SecretStr(TOKEN))


@pytest.fixture(scope="module")
def shared_world() -> World:
    return World()


@pytest.fixture
def world(shared_world: World) -> World:
    """Two days after the test before, so that no limit of that one counts any more."""
    shared_world.clock.advance(timedelta(days=2))
    shared_world.container.phones.override(providers.Object(SECTION))
    shared_world.container.phone_policy.reset()
    shared_world.container.delivery_reports.reset()
    shared_world.container.send_ledger().sends.clear()
    return shared_world


async def owner(world: World, **overrides: Any) -> UserAccount:
    return await an_owner(world, an_id().hex, **overrides)


async def post(world: World, client: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    answer = await client.post(f"{PHONE}{path}", json=body)
    named = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{proof_id}", path)
    check_against_document(world, answer, "POST", f"{PHONE}{named}")
    return answer


async def last_code(world: World) -> str:
    """From the mailbox, where codes go in development."""
    kept = (await world.container.mail_sender().list_kept())[0]
    text: str = kept.message.text
    return text.strip()


async def test_number_is_proven_shown_and_removed(world: World) -> None:
    client = await signed_in(world, await owner(world))
    assert (await client.get(PHONE)).status_code == 404
    started = await post(world, client, "/proofs", number=NUMBER)
    assert started.status_code == 202
    confirmed = await post(world, client, f"/proofs/{started.json()['id']}/confirmation", code=await last_code(world))
    assert confirmed.status_code == 200
    shown = await client.get(PHONE)
    check_against_document(world, shown, "GET", PHONE)
    assert shown.json() == confirmed.json()
    assert (shown.json()["number"], shown.json()["country"], shown.json()["channel"]) == ("+34612345678", "ES", "sms")
    assert (await client.delete(PHONE)).status_code == 204
    assert (await client.get(PHONE)).status_code == 404


@asvs("6.3.8")
async def test_answer_is_the_same_whoever_has_the_number_already(world: World) -> None:
    answers = []
    for _ in range(2):
        client = await signed_in(world, await owner(world))
        started = await post(world, client, "/proofs", number=NUMBER)
        await post(world, client, f"/proofs/{started.json()['id']}/confirmation", code=await last_code(world))
        answers.append((started.status_code, sorted(started.json()), started.json()["channel"]))
        world.clock.advance(timedelta(minutes=1))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"number": "+34806123456"}, 400, "auth.phone_refused"),
        ({"number": "+525512345678"}, 400, "auth.phone_refused"),
        ({"number": NUMBER, "channel": "call"}, 400, "invalid_input"),
        ({"number": NUMBER, "more": 1}, 400, "invalid_input"),
        ({}, 400, "invalid_input"),
    ],
)
async def test_wrong_input_is_named(world: World, body: dict[str, Any], status: int, code: str) -> None:
    client = await signed_in(world, await owner(world))
    answer = await post(world, client, "/proofs", **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_wrong_codes_are_counted_and_end(world: World) -> None:
    client = await signed_in(world, await owner(world))
    proof = (await post(world, client, "/proofs", number=NUMBER)).json()["id"]
    wrong = f"{(int(await last_code(world)) + 1) % 10**6:06}"
    statuses = [(await post(world, client, f"/proofs/{proof}/confirmation", code=wrong)).status_code for _ in range(6)]
    assert statuses == [400] * 5 + [429]


async def test_second_code_has_to_wait(world: World) -> None:
    client = await signed_in(world, await owner(world))
    await post(world, client, "/proofs", number=NUMBER)
    refused = await post(world, client, "/proofs", number=NUMBER)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 30


async def test_recent_sign_in_and_proven_address_are_asked_for(world: World) -> None:
    client = await signed_in(world, await owner(world), age=timedelta(minutes=6))
    stale = await post(world, client, "/proofs", number=NUMBER)
    assert (stale.status_code, stale.json()["code"]) == (401, "step_up_required")
    unproven = await owner(world, status=AccountStatus.UNVERIFIED, verified_at=None)
    refused = await post(world, await signed_in(world, unproven), "/proofs", number=NUMBER)
    assert refused.json()["code"] == "auth.address_not_verified"
    assert (await world.client().post(f"{PHONE}/proofs", json={"number": NUMBER})).status_code == 401


async def test_used_up_budget_is_a_plain_503(world: World) -> None:
    world.container.phones.override(providers.Object(PhonesSection(countries=("ES",), daily_cap=Decimal(0))))
    world.container.phone_policy.reset()
    client = await signed_in(world, await owner(world))
    answer = await post(world, client, "/proofs", number=NUMBER)
    assert (answer.status_code, answer.json()["code"]) == (503, "auth.phone_unavailable")
    assert "cap" not in answer.text


async def a_sent_code(world: World) -> None:
    send = a_send()
    await world.container.send_ledger().reserve(send, spend_limits())
    await world.container.send_ledger().accepted(send.id, "SM1")


def state(world: World) -> DeliveryState:
    (send,) = world.container.send_ledger().sends.values()
    return DeliveryState(send.state)


async def reported(world: World, form: dict[str, str], mark: str, *, body: str | None = None) -> int:
    answer = await world.client().post(
        STATUS_PATH,
        content=urlencode(form) if body is None else body,
        headers={"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": mark},
    )
    return answer.status_code


async def test_report_of_the_provider_is_noted_once_and_for_all(world: World) -> None:
    await a_sent_code(world)
    for status in ("delivered", "sent", "delivered"):
        form = report("SM1", status, Nota="ñ & más")
        assert await reported(world, form, signature(STATUS_URL, form)) == 204
    assert state(world) is DeliveryState.DELIVERED


async def test_report_about_an_unknown_message_changes_nothing(world: World) -> None:
    form = report("SM9", "delivered")
    assert await reported(world, form, signature(STATUS_URL, form)) == 204


@asvs("13.2.1")
async def test_forged_reports_are_refused(world: World) -> None:
    await a_sent_code(world)
    form = report("SM1", "failed")
    mark = signature(STATUS_URL, form)
    forged: list[tuple[dict[str, str], str, str | None]] = [
        (form, "", None),
        (form, signature(STATUS_URL, form, token="u" * 32), None),
        (form, signature("http://test" + STATUS_PATH, form), None),
        ({**form, "MessageStatus": "delivered"}, mark, None),
        (form, mark, urlencode(form) + "&MessageStatus=delivered"),
    ]
    for fields, given, body in forged:
        assert await reported(world, fields, given, body=body) in (400, 401)
    assert state(world) is DeliveryState.SENT


@pytest.mark.parametrize("body", ["", "a", "%ff=1", "&".join(f"a{n}=1" for n in range(100)), "a=" + "x" * 20_000, '{"a": 1}'])
async def test_report_that_is_no_form_is_refused(world: World, body: str) -> None:
    assert await reported(world, {}, "x", body=body) in (400, 401)


async def test_without_an_account_no_report_holds(world: World) -> None:
    world.container.phones.override(providers.Object(PhonesSection()))
    world.container.delivery_reports.reset()
    form = report("SM1", "failed", AccountSid="")
    assert await reported(world, form, signature(STATUS_URL, form, token="")) == 401
