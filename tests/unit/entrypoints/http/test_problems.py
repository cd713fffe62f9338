"""Everything that is no success is a problem (RFC 9457), whatever layer refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.memory.trading import MemoryTradingQueries
from adapters.system.private_file import SecretsUnusable
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import World
from tradingcore.auth.errors import Overloaded, Unsealable
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RuleViolation,
    StaleVersion,
    TooManyAttempts,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)
from tradingcore.trading.errors import SignalNotActive, SignalNotFound
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.use_cases.list_series import ListSeries

SERIES = "/api/v1/trading/series"


class FailingQueries(MemoryTradingQueries):
    """A store that raises what it is given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def list_live_series(self) -> Sequence[LiveSeries]:
        raise self._error


class SlowQueries(MemoryTradingQueries):
    async def list_live_series(self) -> Sequence[LiveSeries]:
        await asyncio.sleep(60)
        return ()


async def answer_to(world: World, error: Exception) -> httpx.Response:
    world.use_cases["list_series"] = lambda: ListSeries(queries=FailingQueries(error))
    async with await world.client_of(Role.TRADER) as client:
        return await client.get(SERIES)


def assert_is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"urn:tradingcore:problem:{code}"
    assert problem["instance"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 400),
        (Unauthenticated("x"), 401),
        (PermissionDenied("x"), 403),
        (NotFound("x"), 404),
        (SignalNotFound("x"), 404),
        (Conflict("x"), 409),
        (StaleVersion("x"), 409),
        (RuleViolation("x"), 422),
        (SignalNotActive("x"), 422),
        (TooManyAttempts("x", retry_after_seconds=7.2), 429),
        (Unavailable("x"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_each_category_has_its_status(world: World, error: TradingCoreError, status: int) -> None:
    problem = assert_is_problem(await answer_to(world, error), status, error.code)
    assert (problem["title"], problem["detail"]) == (error.title, "x")


async def test_who_must_wait_is_told_how_long(world: World) -> None:
    assert (await answer_to(world, TooManyAttempts("x", retry_after_seconds=7.2))).headers["retry-after"] == "8"
    assert int((await answer_to(world, Unavailable("x"))).headers["retry-after"]) >= 1
    overloaded = await answer_to(world, Overloaded("x", retry_after_seconds=4.2))
    assert (overloaded.status_code, overloaded.headers["retry-after"]) == (503, "5")


async def test_what_does_not_unseal_is_a_fault_of_ours_and_says_nothing(world: World) -> None:
    for error in (Unsealable("of user 7"), SecretsUnusable("cannot use the secrets in /some/folder")):
        answer = await answer_to(world, error)
        assert_is_problem(answer, 500, "internal")
        assert str(error) not in answer.text


async def test_wrong_fields_are_pointed_at(world: World) -> None:
    error = InvalidInput("x", errors=(FieldError("/limit", "out_of_range", "y"),))
    assert (await answer_to(world, error)).json()["errors"] == [{"pointer": "/limit", "code": "out_of_range", "detail": "y"}]


@asvs("16.5.4", "16.3.4", "16.5.1")
@pytest.mark.parametrize("error", [ValueError("card 4242"), TradingCoreError("card 4242"), KeyError("card 4242")])
async def test_a_fault_of_ours_says_nothing_about_itself(world: World, error: Exception) -> None:
    with capture_logs() as logs:
        answer = await answer_to(world, error)
    assert_is_problem(answer, 500, "internal")
    assert "4242" not in answer.text
    failed = next(line for line in logs if line["event"] == "request_failed")
    assert failed["error_type"] == type(error).__qualname__
    assert "4242" not in repr(logs)


async def test_an_unknown_path_is_a_problem(shared_world: World) -> None:
    async with shared_world.client() as client:
        for path in ("/nope", "/api/v1/nope", "/api/v1/trading/signals/not-an-id", "/static/../app.py", "/static/nope.js"):
            assert_is_problem(await client.get(path), 404, "not_found")


async def test_a_wrong_method_is_told_the_right_ones(shared_world: World) -> None:
    async with shared_world.client() as client:
        for method in ("POST", "DELETE", "BREW"):
            answer = await client.request(method, SERIES)
            assert_is_problem(answer, 405, "method_not_allowed")
            assert "GET" in answer.headers["allow"]


async def test_a_body_must_be_json(shared_world: World) -> None:
    path = "/api/v1/ml/predictions"
    async with await shared_world.client_of(Role.TRADER) as client:
        plain = await client.post(path, content=b"{}", headers={"content-type": "text/plain"})
        assert_is_problem(plain, 415, "unsupported_media_type")
        for body in (b"", b"{", b"\xff", b'{"symbol": NaN}'):
            broken = await client.post(path, content=body, headers={"content-type": "application/json"})
            assert_is_problem(broken, 400, "malformed_json")


@asvs("2.2.2", "15.3.5")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"symbol": "BTC/USDT", "timeframe": "1h", "extra": 1}, ""),
        ({"symbol": "btc", "timeframe": "1h"}, "/symbol"),
        ({"symbol": "BTC/USDT", "timeframe": "2h"}, "/timeframe"),
        ({"symbol": "BTC/USDT", "timeframe": "1h", "horizon": "4"}, "/horizon"),
        ({"symbol": "BTC/USDT", "timeframe": "1h", "horizon": 0}, "/horizon"),
        ({"symbol": "BTC/USDT", "timeframe": "1h", "at": "2026-03-02T00:00:00"}, "/at"),
        ({"timeframe": "1h"}, ""),
        ([], ""),
    ],
)
async def test_wrong_bodies_are_refused_with_a_pointer(shared_world: World, body: Any, pointer: str) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        problem = assert_is_problem(await client.post("/api/v1/ml/predictions", json=body), 400, "invalid_input")
    assert [item["pointer"] for item in problem["errors"]] == [pointer]


@asvs("5.2.1")
async def test_a_body_has_a_limit_before_it_is_read(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        path, headers = "/api/v1/ml/predictions", {"content-type": "application/json"}
        declared = await client.post(path, content=b"x" * (world.settings.largest_body + 1), headers=headers)
        assert_is_problem(declared, 413, "content_too_large")

        async def endless() -> Any:
            while True:
                yield b" " * 65_536

        assert_is_problem(await client.post(path, content=endless(), headers=headers), 413, "content_too_large")


@asvs("15.3.7")
@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("limit=0", ["/limit"]),
        ("limit=201", ["/limit"]),
        ("limit=ten", ["/limit"]),
        ("symbl=BTC", ["/symbl"]),
        ("side=up&status=gone&nope=1", ["/nope", "/side", "/status"]),
        ("side=long&side=short", ["/side"]),
        ("since=2026-03-02T00:00:00", ["/since"]),
        ("since=1772409600", ["/since"]),
        ("since=0001-01-01T00:00:00%2B09:00", ["/since"]),
        ("min_confidence=nan", ["/min_confidence"]),
        ("min_confidence=1.01", ["/min_confidence"]),
        ("cursor=nope", ["/cursor"]),
        ("a/b~c=1", ["/a~1b~0c"]),
    ],
)
async def test_wrong_parameters_are_all_named(shared_world: World, query: str, pointers: list[str]) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        problem = assert_is_problem(await client.get(f"/api/v1/trading/signals?{query}"), 400, "invalid_input")
    assert sorted(item["pointer"] for item in problem["errors"]) == sorted(pointers)


async def test_a_route_without_parameters_takes_none(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        for path in (SERIES, f"/api/v1/trading/signals/{shared_world.signal_id}", "/api/v1/trading/symbols"):
            assert_is_problem(await client.get(f"{path}?x=1"), 400, "invalid_input")


async def test_an_answer_that_takes_too_long_is_given_up(world: World) -> None:
    impatient = World(settings=replace(world.settings, deadline_seconds=0.05))
    impatient.use_cases["list_series"] = lambda: ListSeries(queries=SlowQueries(impatient.database))
    async with await impatient.client_of(Role.TRADER) as client:
        answer = await client.get(SERIES)
    assert_is_problem(answer, 503, "deadline_exceeded")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_content_coding_is_refused(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await client.post("/api/v1/ml/predictions", content=b"{}", headers=headers)
    assert_is_problem(answer, 415, "unsupported_media_type")


async def test_a_client_that_leaves_halfway_is_no_fault_of_ours(world: World) -> None:
    async with await world.client_of(Role.TRADER) as client:
        headers = [(b"content-type", b"application/json"), (b"authorization", client.headers["authorization"].encode())]
    path = "/api/v1/ml/predictions"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
    sent = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with capture_logs() as lines:
        await cast(Any, world.app)(scope, receive, send)
    assert sent[0]["status"] == 400
    assert "request_failed" not in {line["event"] for line in lines}
