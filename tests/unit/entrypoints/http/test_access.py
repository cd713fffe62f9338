"""Every route for every caller, and every answer against the document that promises it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.unit.entrypoints.http.world import World
from tradingcore.kernel.authz import Plan, Role

ANYBODY = ("anonymous", "student", "investor", "trader")
READERS = ("investor", "trader")
TRADERS = ("trader",)
MODEL_READERS = ("trader",)

# (method, path, body, who gets an answer)
API: list[tuple[str, str, dict[str, Any] | None, tuple[str, ...]]] = [
    ("GET", "/api/v1/trading/symbols", None, READERS),
    ("GET", "/api/v1/trading/candles?symbol=BTC/USDT&timeframe=1h", None, READERS),
    ("GET", "/api/v1/trading/signals", None, READERS),
    ("GET", "/api/v1/trading/signals/{signal_id}", None, READERS),
    ("GET", "/api/v1/trading/signals/{signal_id}/explanation", None, READERS),
    ("GET", "/api/v1/trading/decisions", None, READERS),
    ("GET", "/api/v1/trading/series", None, READERS),
    ("GET", "/api/v1/ml/models", None, MODEL_READERS),
    ("GET", "/api/v1/ml/models/{model_id}", None, MODEL_READERS),
    ("POST", "/api/v1/ml/predictions", {"symbol": "BTC/USDT", "timeframe": "1h"}, TRADERS),
    ("POST", "/api/v1/auth/stream-tickets", None, ("student", "investor", "trader")),
]
FAMILIES = {
    "/api/v1/account/devices": "test_factors",
    "/api/v1/account/export": "test_own_data",
    "/api/v1/account/factors": "test_factors",
    "/api/v1/account/factors/passkeys": "test_passkeys",
    "/api/v1/account/keys": "test_keys",
    "/api/v1/account/phone": "test_phones",
    "/api/v1/account": "test_accounts",
    "/api/v1/admin": "test_staff",
    "/api/v1/auth/address-change": "test_accounts",
    "/api/v1/auth/challenges": "test_sessions",
    "/api/v1/auth/identities": "test_providers",
    "/api/v1/auth/passkeys": "test_passkeys",
    "/api/v1/auth/password-reset": "test_accounts",
    "/api/v1/auth/providers": "test_providers",
    "/api/v1/auth/refresh": "test_sessions",
    "/api/v1/auth/register": "test_accounts",
    "/api/v1/auth/sessions": "test_sessions",
    "/api/v1/auth/sign-in": "test_sessions",
    "/api/v1/auth/sign-out": "test_sessions",
    "/api/v1/auth/step-up": "test_sessions",
    "/api/v1/auth/verify-address": "test_accounts",
    "/api/v1/webhooks": "test_phones",
}
"""Beginnings of paths that are not a matter of the role alone, and the file that asks the operations under them."""
OPEN = ["/health/live", "/health/ready", "/health/startup", "/metrics", "/", "/docs", "/openapi.json", "/asyncapi.json"]


async def ask(world: World, who: str, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
    client = world.client() if who == "anonymous" else await world.client_of(Role(who))
    async with client:
        return await client.request(method, path.format(signal_id=world.signal_id, model_id=world.model_id), json=body)


@pytest.mark.parametrize(("method", "path", "body", "allowed"), API, ids=[f"{item[0]} {item[1]}" for item in API])
@pytest.mark.parametrize("who", ANYBODY)
async def test_each_caller_gets_what_the_role_allows(
    shared_world: World, who: str, method: str, path: str, body: dict[str, Any] | None, allowed: tuple[str, ...]
) -> None:
    answer = await ask(shared_world, who, method, path, body)
    if who in allowed:
        assert answer.status_code in (200, 201), answer.text
    elif who == "anonymous":
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="tradingcore"'
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    check_against_document(shared_world, answer, method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/trading/candles"),
        ("GET", "/api/v1/trading/signals?nope=1"),
        ("GET", "/api/v1/ml/models/{model_id}?nope=1"),
        ("POST", "/api/v1/ml/predictions"),
        ("GET", "/api/v1/events"),
    ],
)
async def test_nobody_learns_what_is_wrong_with_a_request(shared_world: World, method: str, path: str) -> None:
    answer = await ask(shared_world, "anonymous", method, path, None)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_documents_are_open(shared_world: World, path: str) -> None:
    async with shared_world.client() as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(("who", "status"), [("anonymous", 401), ("student", 403)])
async def test_events_are_refused_as_described(shared_world: World, who: str, status: int) -> None:
    answer = await ask(shared_world, who, "GET", "/api/v1/events?topics=signals:*", None)
    assert answer.status_code == status
    check_against_document(shared_world, answer, "GET", "/api/v1/events")


async def test_a_plan_without_signals_gets_none(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER, plan=Plan.FREE) as client:
        assert (await client.get("/api/v1/trading/symbols")).status_code == 200
        assert (await client.get("/api/v1/trading/signals")).status_code == 403


async def test_every_described_operation_is_asked_here(shared_world: World) -> None:
    async with shared_world.client() as client:
        document = (await client.get("/openapi.json")).json()
    assert document == shared_world.document
    # The stream of events never ends; that it starts is proven against a real server.
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item} - {
        ("GET", "/api/v1/events")
    }
    asked = {(method, path.partition("?")[0]) for method, path, _, _ in API} | {("GET", path) for path in OPEN}
    families = [family for family in FAMILIES if (Path(__file__).parent / f"{FAMILIES[family]}.py").is_file()]
    unasked = [one for one in described - asked if not any(f"{one[1]}/".startswith(f"{family}/") for family in families)]
    assert unasked == []


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/startup"])
async def test_probes_answer_as_described(shared_world: World, path: str) -> None:
    async with shared_world.client() as client:
        check_against_document(shared_world, await client.get(path), "GET", path)


def check_against_document(world: World, answer: httpx.Response, method: str, path: str) -> None:
    """The status, the media type and the body are among those that the document promises for this operation."""
    document = world.document
    operation = document["paths"][path.partition("?")[0]][method.lower()]
    content = operation["responses"][str(answer.status_code)]["content"]
    schema = content[answer.headers["content-type"]]["schema"]
    resolved = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(resolved, format_checker=jsonschema.FormatChecker()).validate(answer.json())
