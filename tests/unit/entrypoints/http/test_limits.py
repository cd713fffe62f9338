"""The general limit: who is counted together, what counts, and what an answer says of it."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from adapters.memory.limits import MemoryRateLimiter
from entrypoints.http.options import HttpSettings
from tests.asvs import asvs
from tests.unit.entrypoints.http.world import ORIGIN, World
from tradingcore.kernel.authz import Role
from tradingcore.kernel.limits import Quota

SYMBOLS = "/api/v1/trading/symbols"
LIMIT = 5


class LimitedWorld(World):
    """A world whose callers have five requests a minute."""

    def __init__(self, **settings: Any) -> None:
        self.seconds = 0.0
        self._limiter = MemoryRateLimiter(Quota(limit=LIMIT, window_seconds=60), now=lambda: self.seconds)
        super().__init__(
            limiter=self._limiter,
            settings=HttpSettings(cursor_key=b"c" * 32, pseudonym_key=b"p" * 32, allowed_origins=frozenset({ORIGIN}), **settings),
        )

    def at(self, address: str, **headers: str) -> httpx.AsyncClient:
        """A client whose socket has that address."""
        transport = httpx.ASGITransport(cast(Any, self.app), client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    def begin_anew(self) -> LimitedWorld:
        """Nobody has asked for anything."""
        self.seconds = 0.0
        self._limiter._hits.clear()
        return self


@pytest.fixture(scope="module")
def limited_world() -> LimitedWorld:
    return LimitedWorld()


@pytest.fixture
def limited(limited_world: LimitedWorld) -> LimitedWorld:
    return limited_world.begin_anew()


async def statuses(client: httpx.AsyncClient, path: str = SYMBOLS, times: int = LIMIT + 2, **options: Any) -> list[int]:
    return [(await client.get(path, **options)).status_code for _ in range(times)]


@asvs("2.4.1", "15.2.2")
async def test_a_user_has_a_number_of_requests_whatever_the_address(limited: LimitedWorld) -> None:
    async with await limited.client_of(Role.TRADER) as client, limited.at("198.51.100.9") as elsewhere:
        assert await statuses(client) == [200] * LIMIT + [429] * 2
        elsewhere.headers["authorization"] = client.headers["authorization"]
        assert (await elsewhere.get(SYMBOLS)).status_code == 429
    async with await limited.client_of(Role.TRADER) as other:
        assert (await other.get(SYMBOLS)).status_code == 200


async def test_an_answer_says_what_is_left(limited: LimitedWorld) -> None:
    async with await limited.client_of(Role.TRADER) as client:
        first = await client.get(SYMBOLS)
        assert first.headers["ratelimit-policy"] == '"general";q=5;w=60'
        assert first.headers["ratelimit"] == '"general";r=4;t=60'
        limited.seconds = 20.5
        answers = [await client.get(SYMBOLS) for _ in range(LIMIT)]
    assert [answer.headers["ratelimit"] for answer in answers[:2]] == ['"general";r=3;t=40', '"general";r=2;t=40']
    refused = answers[-1]
    assert refused.headers["ratelimit"] == '"general";r=0;t=40'
    assert refused.headers["retry-after"] == "40"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"
    assert refused.json()["instance"] == refused.headers["x-request-id"]


async def test_the_limit_moves_on(limited: LimitedWorld) -> None:
    async with await limited.client_of(Role.TRADER) as client:
        await statuses(client)
        limited.seconds = 60.0
        assert (await client.get(SYMBOLS)).status_code == 200


@asvs("2.4.1", "6.3.1")
async def test_wrong_credentials_count_for_the_network_they_come_from(limited: LimitedWorld) -> None:
    async with limited.at("198.51.100.9", authorization="Bearer tc_test_nonsense") as guesser:
        assert await statuses(guesser) == [401] * LIMIT + [429] * 2
    async with limited.at("198.51.100.9") as neighbour, limited.at("198.51.100.10") as other:
        assert (await neighbour.get(SYMBOLS)).status_code == 429
        assert (await other.get(SYMBOLS)).status_code == 401


async def test_a_known_caller_is_not_stopped_by_a_bad_neighbour(limited: LimitedWorld) -> None:
    async with limited.at("198.51.100.9") as guesser, await limited.client_of(Role.TRADER) as client:
        await statuses(guesser)
        async with limited.at("198.51.100.9", authorization=client.headers["authorization"]) as known:
            assert (await known.get(SYMBOLS)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/nope", 404), ("/api/nope", 404), ("/api/v1/events?topics=signals:*", 401), (SYMBOLS, 401)]
)
async def test_whatever_is_under_the_api_counts(limited: LimitedWorld, path: str, status: int) -> None:
    async with limited.at("198.51.100.9") as client:
        answers = [await client.get(path) for _ in range(LIMIT + 1)]
    assert [answer.status_code for answer in answers] == [status] * LIMIT + [429]
    assert [answer.headers["ratelimit"].partition(";t")[0] for answer in answers[-2:]] == ['"general";r=0'] * 2
    assert answers[-1].json()["code"] == "too_many_requests"


@pytest.mark.parametrize("path", [f"/{SYMBOLS}", "/api//v1/trading/symbols", "//api/v1/account", "//health/live"])
async def test_a_crooked_path_leads_nowhere_and_counts(limited: LimitedWorld, path: str) -> None:
    target = httpx.URL("http://test").copy_with(raw_path=path.encode())
    async with await limited.client_of(Role.TRADER) as client:
        answers = [(await client.get(target)).status_code for _ in range(LIMIT + 1)]
    assert answers == [404] * LIMIT + [429]


async def test_wrong_methods_and_bodies_that_are_too_large_count(limited: LimitedWorld) -> None:
    large = b"x" * (limited.settings.largest_body + 1)
    async with limited.at("198.51.100.9") as client:
        assert [(await client.delete(SYMBOLS)).status_code for _ in range(3)] == [405] * 3
        answers = [(await client.post("/api/v1/ml/predictions", content=large)).status_code for _ in range(3)]
    assert answers == [413, 413, 429]


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/health/startup", "/", "/docs", "/openapi.json", "/static/app.js"]
)
async def test_probes_pages_and_documents_are_not_limited(limited: LimitedWorld, path: str) -> None:
    async with limited.at("198.51.100.9") as client:
        answers = [await client.get(path) for _ in range(LIMIT + 3)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def test_a_question_of_a_browser_before_its_request_is_free(limited: LimitedWorld) -> None:
    asking = {"origin": ORIGIN, "access-control-request-method": "GET"}
    async with limited.at("198.51.100.9") as client:
        assert {(await client.options(SYMBOLS, headers=asking)).status_code for _ in range(LIMIT + 3)} == {204}
        answer = await client.get(SYMBOLS, headers={"origin": ORIGIN})
    assert answer.headers["ratelimit"].startswith('"general";r=4')
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(answer.headers["access-control-expose-headers"].split(", "))


async def test_an_ipv6_network_counts_as_one(limited: LimitedWorld) -> None:
    answers = []
    for number in range(LIMIT + 1):
        async with limited.at(f"2001:db8:1:2:{number}::1") as client:
            answers.append((await client.get(SYMBOLS)).status_code)
    assert answers == [401] * LIMIT + [429]
    async with limited.at("2001:db8:1:3::1") as other:
        assert (await other.get(SYMBOLS)).status_code == 401


@asvs("15.3.4", "2.4.1")
async def test_a_forged_header_gives_nobody_a_fresh_start(limited: LimitedWorld) -> None:
    async with limited.at("198.51.100.9") as client:
        answers = [
            (await client.get(SYMBOLS, headers={"x-forwarded-for": f"203.0.113.{number}", "forwarded": f"for=203.0.113.{number}"}))
            for number in range(LIMIT + 1)
        ]
    assert [answer.status_code for answer in answers] == [401] * LIMIT + [429]


async def test_behind_a_trusted_proxy_clients_are_told_apart() -> None:
    limited = LimitedWorld(trusted_hops=1)
    async with limited.at("10.0.0.1") as proxy:
        for number in range(3):
            headers = {"x-forwarded-for": f"6.6.6.{number}, 203.0.113.7"}
            await statuses(proxy, times=2, headers=headers)
        assert (await proxy.get(SYMBOLS, headers={"x-forwarded-for": "6.6.6.9, 203.0.113.7"})).status_code == 429
        assert (await proxy.get(SYMBOLS, headers={"x-forwarded-for": "203.0.113.8"})).status_code == 401


async def test_refusals_are_counted_in_the_metrics(limited: LimitedWorld) -> None:
    name = "tradingcore_http_requests_limited_total"
    before = limited.metrics.registry.get_sample_value(name) or 0
    async with limited.client() as client:
        await statuses(client)
        text = (await client.get("/metrics")).text
    assert f"{name} {before + 2}" in text


async def test_without_a_limiter_nothing_is_limited(shared_world: World) -> None:
    async with await shared_world.client_of(Role.TRADER) as client:
        answers = [await client.get(SYMBOLS) for _ in range(120)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


@asvs("13.4.5")
@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("198.51.100.9", {}, 404),
        ("10.0.0.1", {}, 404),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, 404),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, 404),
        ("198.51.100.9", {"x-forwarded-for": "127.0.0.1"}, 404),
    ],
)
async def test_metrics_are_for_this_machine_alone(
    limited: LimitedWorld, address: str, headers: dict[str, str], status: int
) -> None:
    async with limited.at(address) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


@asvs("13.4.5")
async def test_metrics_are_for_whoever_has_the_token_where_there_is_one() -> None:
    token = "t" * 40
    guarded = LimitedWorld(metrics_token=token.encode())
    wrong: list[Any] = [f"Bearer {token[:-1]}", token, "Bearer ", f"Basic {token}", b"Bearer \xff"]
    async with guarded.at("198.51.100.9") as far, guarded.at("127.0.0.1") as near:
        for client in (far, near):
            assert (await client.get("/metrics", headers={"authorization": f"Bearer {token}"})).status_code == 200
            assert (await client.get("/metrics")).status_code == 404
            for value in wrong:
                assert (await client.get("/metrics", headers={"authorization": value})).status_code == 404
