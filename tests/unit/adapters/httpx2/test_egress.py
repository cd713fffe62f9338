"""Calls outside: where they may go, and what they may cost."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.httpx2.destinations import is_public
from adapters.httpx2.egress import EgressRefused, EgressRules, EgressTransport, Resolve, egress_client
from tests.asvs import asvs
from tests.unit.adapters.httpx2.hostile_urls import BAD_ADDRESSES, MALFORMED, WRONG_PORTS

ANY_HOST = EgressRules(hosts=None)
SHOP = EgressRules(hosts=frozenset({"shop.example.com"}))
PUBLIC = "93.184.215.14"
Answer = Callable[[httpx2.Request], httpx2.Response]


class Outside(httpx2.AsyncBaseTransport):
    """The world: remembers what it is asked."""

    def __init__(self, *answers: Answer | httpx2.TransportError | int) -> None:
        self.asked: list[httpx2.Request] = []
        self._answers = list(answers)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if self._answers else 200
        if isinstance(answer, httpx2.TransportError):
            raise answer
        return answered(answer) if isinstance(answer, int) else answer(request)


def answered(status: int = 200, content: bytes = b"ok", headers: Any = None) -> httpx2.Response:
    """An answer that nobody has read yet."""
    return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(content))


class Names:
    """A resolver: the n-th question gets the n-th answer, and the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = answers or ([PUBLIC],)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


async def _nobody_is_asked(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def a_client(rules: EgressRules, outside: Outside, resolve: Resolve) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=EgressTransport(rules, resolve=resolve, inner=outside), timeout=None)


async def is_refused(url: str, rules: EgressRules, resolve: Resolve) -> bool:
    outside = Outside()
    async with a_client(rules, outside, resolve) as client:
        try:
            await client.get(url)
        except (EgressRefused, httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            return not outside.asked
    return False


def test_the_corpus_has_two_hundred_addresses() -> None:
    assert len(set(MALFORMED)) + len(set(WRONG_PORTS)) + len(BAD_ADDRESSES) >= 200


@pytest.mark.campaign
async def test_every_address_of_the_corpus_is_refused() -> None:
    started = time.monotonic()
    called = [url for url in (*MALFORMED, *WRONG_PORTS) if not await is_refused(url, ANY_HOST, _nobody_is_asked)]
    reached = [found for found in BAD_ADDRESSES if not await is_refused("https://shop.example.com/", ANY_HOST, Names(found))]
    size, failures = len(MALFORMED) + len(WRONG_PORTS) + len(BAD_ADDRESSES), len(called) + len(reached)
    evidence = {"id": "G27", "part": "SSRF", "n": size, "failures": failures, "seed": None}
    print(json.dumps({**evidence, "seconds": round(time.monotonic() - started, 2)}))
    assert failures == 0


@asvs("1.3.6", "13.2.4", "15.3.2", "12.3.3")
async def test_malformed_addresses_are_refused_before_anybody_is_asked() -> None:
    assert [url for url in MALFORMED if not await is_refused(url, ANY_HOST, _nobody_is_asked)] == []


@asvs("1.3.6", "13.2.4")
async def test_only_the_port_of_https_is_called() -> None:
    assert [url for url in WRONG_PORTS if not await is_refused(url, ANY_HOST, _nobody_is_asked)] == []


@asvs("1.3.6")
async def test_names_that_lead_inside_are_refused() -> None:
    assert [found for found in BAD_ADDRESSES if not await is_refused("https://shop.example.com/", ANY_HOST, Names(found))] == []


@asvs("13.2.4", "13.2.5", "14.2.3")
@pytest.mark.parametrize(
    "host", ["evil.example.net", "shop.example.com.evil.net", "eshop.example.com", "xn--shp-jqa.example.com", "example.com"]
)
async def test_only_listed_hosts_are_called(host: str) -> None:
    assert await is_refused(f"https://{host}/", SHOP, _nobody_is_asked)
    assert not await is_refused("https://shop.example.com/", SHOP, Names())


@asvs("1.3.6")
async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    names, outside = Names([PUBLIC], ["127.0.0.1"]), Outside()
    async with a_client(SHOP, outside, names) as client:
        await client.get("https://shop.example.com/")
        with pytest.raises(EgressRefused):
            await client.get("https://shop.example.com/")
    (asked,) = outside.asked
    # What opens connections is given an address: it has no name to look up again.
    assert asked.url.host == PUBLIC
    assert asked.headers["host"] == "shop.example.com"
    assert asked.extensions["sni_hostname"] == "shop.example.com"
    assert len(names.asked) == 2


async def test_a_host_header_of_the_caller_does_not_count() -> None:
    outside = Outside()
    async with a_client(SHOP, outside, Names()) as client:
        await client.get("https://shop.example.com/", headers={"host": "evil.example.net"})
    assert outside.asked[0].headers.get_list("host") == ["shop.example.com"]


@asvs("15.3.2")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_not_followed(status: int) -> None:
    outside = Outside(lambda _: answered(status, headers={"location": "https://127.0.0.1/"}))
    client = egress_client(SHOP)
    async with a_client(SHOP, outside, Names()) as used:
        assert (await used.get("https://shop.example.com/")).status_code == status
    assert not client.follow_redirects
    assert len(outside.asked) == 1


async def test_a_redirect_that_somebody_follows_is_judged_anew() -> None:
    outside = Outside(lambda _: answered(302, headers={"location": "https://169.254.169.254/"}))
    async with a_client(ANY_HOST, outside, Names()) as client:
        with pytest.raises(EgressRefused):
            await client.get("https://shop.example.com/", follow_redirects=True)
    assert len(outside.asked) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/", "https://localhost/"])
async def test_loopback_is_called_in_development_only(url: str) -> None:
    rules = EgressRules(hosts=frozenset(), allows_loopback=True)
    assert not await is_refused(url, rules, _nobody_is_asked)
    assert await is_refused(url, ANY_HOST, _nobody_is_asked)


@pytest.mark.parametrize("url", ["http://shop.example.com/", "https://shop.example.com:8443/", "http://10.0.0.1/", "http://127.1/"])
async def test_development_opens_nothing_but_loopback(url: str) -> None:
    assert await is_refused(url, EgressRules(hosts=None, allows_loopback=True), Names())


@asvs("15.1.3", "13.1.3")
async def test_an_answer_that_is_too_large_is_not_taken() -> None:
    pulled = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pulled
        while True:
            pulled += 1
            yield b"x" * 65536

    outside = Outside(lambda _: httpx2.Response(200, content=endless()))
    async with a_client(SHOP, outside, Names()) as client:
        with pytest.raises(EgressRefused, match="262144"):
            await client.get("https://shop.example.com/")
    assert pulled == 5
    assert len(outside.asked) == 1


async def test_an_answer_that_unpacks_to_anything_is_not_taken() -> None:
    packed = gzip.compress(b"\0" * 10_000_000)
    outside = Outside(lambda _: answered(200, packed, {"content-encoding": "gzip"}))
    async with a_client(SHOP, outside, Names()) as client:
        with pytest.raises(EgressRefused, match="packed"):
            await client.get("https://shop.example.com/", headers={"accept-encoding": "gzip"})
    assert outside.asked[0].headers["accept-encoding"] == "identity"


async def test_a_call_ends_in_time() -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(10)
        return [PUBLIC]

    rules = EgressRules(hosts=None, total_seconds=0.05)
    async with a_client(rules, Outside(), slow) as client:
        with pytest.raises(httpx2.TimeoutException):
            await client.get("https://shop.example.com/")


@asvs("13.2.6")
async def test_limits_of_a_connection_are_passed_on() -> None:
    outside = Outside()
    async with a_client(SHOP, outside, Names()) as client:
        await client.get("https://shop.example.com/", timeout=1000)
    assert outside.asked[0].extensions["timeout"] == {"connect": 2.0, "read": 5.0, "write": 5.0, "pool": 5.0}


async def _tries(method: str, *answers: Any, retries: int = 2) -> tuple[int, int | None]:
    outside = Outside(*answers)
    rules = EgressRules(hosts=None, retries=retries)
    async with a_client(rules, outside, Names()) as client:
        try:
            return (await client.request(method, "https://shop.example.com/")).status_code, len(outside.asked)
        except httpx2.TransportError:
            return 0, len(outside.asked)


@asvs("13.2.6")
async def test_reads_are_repeated_twice_and_writes_never() -> None:
    lost = httpx2.ReadError("gone")
    assert await _tries("GET", lost, 503, 200) == (200, 3)
    assert await _tries("GET", lost, lost, lost) == (0, 3)
    assert await _tries("GET", 500) == (500, 1)
    assert await _tries("POST", lost) == (0, 1)
    assert await _tries("POST", 503) == (503, 1)
    assert await _tries("GET", lost, retries=0) == (0, 1)


async def test_at_most_one_call_in_ten_is_a_repetition() -> None:
    outside = Outside(*[503] * 1000)
    async with a_client(SHOP, outside, Names()) as client:
        for _ in range(40):
            await client.get("https://shop.example.com/")
    assert len(outside.asked) <= 40 + 2 + 4


async def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    outside = Outside(httpx2.ConnectError("refused"))
    async with a_client(SHOP, outside, Names([PUBLIC, "93.184.215.15"])) as client:
        assert (await client.post("https://shop.example.com/", content=b"x")).status_code == 200
    assert [request.url.host for request in outside.asked] == [PUBLIC, "93.184.215.15"]


@pytest.mark.parametrize("found", [[], OSError()])
async def test_a_name_without_an_address_cannot_be_reached(found: Any) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if isinstance(found, OSError):
            raise found
        return list(found)

    async with a_client(EgressRules(hosts=None, retries=0), Outside(), resolve) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("https://shop.example.com/")


async def test_cookies_are_neither_kept_nor_sent() -> None:
    outside = Outside(lambda _: answered(200, headers=[("set-cookie", "a=b"), ("x-other", "1")]))
    async with a_client(SHOP, outside, Names()) as client:
        answer = await client.get("https://shop.example.com/")
        await client.get("https://shop.example.com/")
    assert answer.headers["x-other"] == "1"
    assert "cookie" not in outside.asked[1].headers


@given(st.ip_addresses(v=4))
def test_an_address_in_another_dress_is_never_public(address: Any) -> None:
    number = int(address)
    for dressed in (
        number,  # ::a.b.c.d
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80,
        0x2001 << 112 | number,
    ):
        assert not is_public(ip_address(dressed.to_bytes(16)))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_to_be_private(address: Any) -> None:
    if is_public(address):
        assert not any((address.is_private, address.is_loopback, address.is_link_local, address.is_multicast, address.is_reserved))
