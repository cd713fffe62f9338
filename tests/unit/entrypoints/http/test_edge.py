"""Ids, headers, CORS, HEAD, log lines and metrics: what every answer gets."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from entrypoints.http.health import Check, Readiness
from entrypoints.http.options import HttpSettings
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import ORIGIN, World
from tradingcore.kernel.authz import Role

SIGNALS = "/api/v1/trading/signals"
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-site",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", [SIGNALS, "/health/live", "/metrics", "/nope", "/openapi.json", "/", "/docs", "/static/app.js"])
async def test_every_answer_is_protected(shared_world: World, path: str) -> None:
    async with shared_world.client() as client:
        answer = await client.get(path)
    assert {name: answer.headers[name] for name in EVERYWHERE} == EVERYWHERE
    policy = answer.headers["content-security-policy"]
    if path in ("/", "/docs"):
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    else:
        assert policy == API_POLICY
    assert "server" not in answer.headers


@asvs("14.2.2")
async def test_answers_of_the_api_are_not_stored(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        for path in (SIGNALS, "/api/v1/trading/symbols", "/api/v1/nope"):
            assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_ids_of_the_client_are_taken_over(shared_world: World) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"x-request-id": "order-77", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    async with shared_world.client(**headers) as client:
        answer = await client.get(SIGNALS)
    assert answer.headers["x-request-id"] == answer.json()["instance"] == "order-77"
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    assert "00f067aa0ba902b7" not in answer.headers["traceparent"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-request-id": "a b", "traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"},
        {"x-request-id": "x" * 65, "traceparent": "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        {"x-request-id": '"', "traceparent": "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"},
        {},
    ],
)
async def test_malformed_ids_are_replaced(shared_world: World, headers: dict[str, str]) -> None:
    async with shared_world.client(**headers) as client:
        answer = await client.get(SIGNALS)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    parent = answer.headers["traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", parent)
    assert "0" * 32 not in parent
    assert "4bf92f3577b34da6a3ce929d0e0e4736" not in parent


async def test_the_trace_goes_into_the_use_case(world: World) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with await world.client_of(Role.TRADER) as client:
        await client.post("/api/v1/auth/stream-tickets", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    ((actor, _),) = world.database.tickets.values()
    assert actor.trace_id == trace


async def test_origins_on_the_list_may_read(shared_world: World) -> None:
    async with shared_world.client(origin=ORIGIN) as client:
        answer = await client.get(SIGNALS)
        asked = await client.options(SIGNALS, headers={"access-control-request-method": "GET"})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Origin"
    assert asked.status_code == 204
    assert "authorization" in asked.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.evil",
        "http://app.example",
        "https://appXexample",
        "null",
        "https://app.example:444",
    ],
)
async def test_other_origins_may_not(shared_world: World, origin: str) -> None:
    async with shared_world.client(origin=origin) as client:
        for answer in (
            await client.get(SIGNALS),
            await client.options(SIGNALS, headers={"access-control-request-method": "GET"}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_head_is_get_without_its_body(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        for path in ("/api/v1/trading/symbols", "/health/live", "/", "/nope"):
            got, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers["content-length"] == str(len(got.content))
            assert head.headers["content-type"] == got.headers["content-type"]


async def test_head_sends_no_byte_of_a_body(shared_world: World) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "HEAD", "path": "/health/live", "query_string": b"", "headers": [], "root_path": ""}
    await shared_world.app(scope, receive, send)
    assert [message.get("body", b"") for message in sent] == [b"", b""]


@asvs("16.3.3", "16.2.5")
async def test_a_request_leaves_one_line_without_values(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        with capture_logs() as logs:
            await client.get(f"{SIGNALS}/{world.signal_id}?secret=hunter2", headers={"x-request-id": "r-1"})
            await client.get("/hunter2")
    lines = [line for line in logs if line["event"] == "http_request"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/api/v1/trading/signals/{signal_id}", 400),
        ("GET", "(none)", 404),
    ]
    assert re.fullmatch(r"[0-9a-f]{16}", lines[0]["user"])
    assert lines[0]["duration_ms"] >= 0
    for planted in ("hunter2", world.signal_id, "tc_test"):
        assert planted not in repr(logs)


async def test_metrics_count_by_route_template(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        for path in (f"{SIGNALS}/{world.signal_id}", "/x1", "/x2"):
            await client.get(path)
        await client.request("BREW", "/x3")
        text = (await client.get("/metrics")).text
    assert 'tradingcore_http_requests_total{method="GET",route="/api/v1/trading/signals/{signal_id}",status="200"} 1.0' in text
    assert 'tradingcore_http_requests_total{method="GET",route="(none)",status="404"} 2.0' in text
    assert 'method="other"' in text
    assert world.signal_id not in text
    assert "tradingcore_http_request_seconds_bucket" in text


async def test_readiness_follows_its_checks_and_the_stop(world: World) -> None:
    async with world.client() as client:
        assert (await client.get("/health/ready")).json() == {"status": "ok", "checks": {"storage": "ok"}}
        world.readiness = Readiness((Check(name="storage", is_ok=False, detail="cannot be reached"),))
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.json()["checks"] == {"storage": "cannot be reached"}
        assert "retry-after" in answer.headers
        assert (await client.get("/health/live")).status_code == 200
        world.readiness = Readiness()
        world.lifecycle.drain()
        assert (await client.get("/health/ready")).status_code == 503
        world.lifecycle.has_started = False
        assert (await client.get("/health/startup")).status_code == 503


@asvs("13.4.5")
async def test_documents_can_be_switched_off() -> None:
    hidden = World(settings=replace(World().settings, shows_docs=False))
    async with hidden.client() as client:
        for path in ("/docs", "/openapi.json", "/asyncapi.json", "/static/docs.js"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/")).status_code == 200


async def test_static_files_are_revalidated(shared_world: World) -> None:
    async with shared_world.client() as client:
        first = await client.get("/")
        again = await client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("origin", ["*", "https://*.example"])
def test_no_wildcard_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="exactly"):
        HttpSettings(cursor_key=b"c" * 32, pseudonym_key=b"p", allowed_origins=frozenset({origin}))


async def test_a_head_that_is_too_large_is_refused(shared_world: World) -> None:
    async with shared_world.client() as client:
        assert (await client.get("/health/live", headers={"x-a": "a" * 15_000})).status_code == 200
        for answer in (await client.get("/health/live", headers={"x-a": "a" * 17_000}), await client.get("/?a=" + "a" * 17_000)):
            assert (answer.status_code, answer.json()["code"]) == (431, "head_too_large")
