"""Whatever anybody sends, the answer is described and never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.entrypoints.http.test_access import check_against_document
from tests.unit.entrypoints.http.world import World, a_furnished_world
from tradingcore.kernel.authz import Role

NAMES = [
    "symbol",
    "timeframe",
    "from",
    "to",
    "since",
    "limit",
    "cursor",
    "side",
    "status",
    "edge_status",
    "min_confidence",
    "reason",
]
VALUES = [
    *("BTC/USDT", "1h", "2026-03-02T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "long", "active"),
    *("0", "-1", "1", "1e308", "nan", "inf", "9" * 400, "", "\x00", "null", "[]", "true", "1_0", "٣", "\ud83d"),
]
QUERIES = st.lists(
    st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), st.sampled_from(VALUES) | st.text(max_size=20)), max_size=5
)
PATHS = st.sampled_from(
    [
        "/api/v1/trading/symbols",
        "/api/v1/trading/candles",
        "/api/v1/trading/signals",
        "/api/v1/trading/decisions",
        "/api/v1/trading/series",
        "/api/v1/ml/models",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "at", "horizon"]), inner, max_size=4),
    max_leaves=8,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {"symbol": st.sampled_from(VALUES), "timeframe": st.sampled_from(["1h", "1m", "1w", "x"])},
    optional={"at": st.sampled_from(VALUES) | st.datetimes().map(lambda at: f"{at.isoformat()}Z"), "horizon": st.integers()},
)


class Caller:
    """A trader whose requests run in one loop."""

    def __init__(self) -> None:
        self.world: World = a_furnished_world()
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self.world.client_of(Role.TRADER))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    found = Caller()
    yield found
    found.close()


@settings(max_examples=50, deadline=None)
@given(PATHS, QUERIES)
def test_any_query_gets_a_described_answer(caller: Caller, path: str, query: list[tuple[str, str]]) -> None:
    text = "&".join(f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in query)
    answer = caller.ask("GET", f"{path}?{text}" if text else path)
    assert answer.status_code < 500
    check_against_document(caller.world, answer, "GET", path)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=64) | (JSON | NEARLY_RIGHT).map(lambda value: json.dumps(value).encode()))
def test_any_body_gets_a_described_answer(caller: Caller, body: bytes) -> None:
    path = "/api/v1/ml/predictions"
    answer = caller.ask("POST", path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500
    check_against_document(caller.world, answer, "POST", path)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_path_gets_an_answer(caller: Caller, path: str) -> None:
    assert caller.ask("GET", "/" + quote(path, safe="/", errors="replace")).status_code < 500


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["authorization", "accept", "if-none-match", "traceparent", "x-request-id", "origin"]), st.binary()
    )
)
def test_any_header_gets_an_answer(caller: Caller, headers: dict[str, bytes]) -> None:
    assert caller.ask("GET", "/api/v1/trading/symbols", headers=list(headers.items())).status_code < 500
