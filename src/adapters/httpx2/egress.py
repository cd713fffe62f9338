"""Calls outside that cannot be turned against the network that they are made from.

A name is resolved once, every address of it is judged, and the connection goes to an address that was judged: a name whose answer
changes in between gains nothing. TLS still checks the certificate of the name.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx2

from adapters.httpx2.destinations import (
    LOOPBACK_NAMES,
    Address,
    EgressRefused,
    EgressRules,
    parse_address,
    port_of,
    require_address,
    require_url,
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a name and a port to the texts of its addresses. Raises `OSError`."""

__all__ = ("EgressRefused", "EgressRules", "EgressTransport", "Resolve", "egress_client", "system_resolve")

_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_PASSING_STATUS: Final = frozenset({502, 503, 504})
_FIRST_PAUSE_SECONDS: Final = 0.1
_BUDGET_PER_CALL: Final = 0.1
_LARGEST_BUDGET: Final = 10.0
_DROPPED_HEADERS: Final = frozenset({"set-cookie", "transfer-encoding", "connection"})


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, whose answer may come from files and caches of this machine."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class EgressTransport(httpx2.AsyncBaseTransport):
    """Makes the calls that the rules allow, on a connection each, and takes each answer whole.

    Raises `EgressRefused` for what the rules forbid, and other errors of httpx2 as it does. Repeats a GET or HEAD that failed on
    the way, as far as one in ten calls is a repetition.

    Parameters
    ----------
    resolve : how a name becomes addresses.
    tls : what certificates are trusted; by default those of httpx2.
    inner : what opens connections.
    """

    def __init__(
        self,
        rules: EgressRules,
        *,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        inner: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._rules = rules
        self._resolve = resolve
        # No connection is kept: it is known by its address, and another name may share that with another certificate.
        self._inner = inner or httpx2.AsyncHTTPTransport(
            verify=tls or True, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )
        self._budget = float(rules.retries)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        require_url(request.url, self._rules)
        self._budget = min(_LARGEST_BUDGET, self._budget + _BUDGET_PER_CALL)
        try:
            async with asyncio.timeout(self._rules.total_seconds):
                return await self._repeated(request)
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no answer within {self._rules.total_seconds:g} s", request=request) from None

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _repeated(self, request: httpx2.Request) -> httpx2.Response:
        for attempt in range(self._rules.retries + 1):
            is_last = attempt == self._rules.retries or request.method not in _REPEATABLE or self._budget < 1
            try:
                response = await self._once(request)
            except EgressRefused:
                raise
            except httpx2.TransportError:
                if is_last:
                    raise
            else:
                if is_last or response.status_code not in _PASSING_STATUS:
                    return response
            self._budget -= 1
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - spreads load
        raise AssertionError("unreachable")

    async def _once(self, request: httpx2.Request) -> httpx2.Response:
        addresses = await self._addresses(request)
        for address in addresses[:-1]:
            try:
                return await self._ask(request, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._ask(request, addresses[-1])

    async def _addresses(self, request: httpx2.Request) -> Sequence[Address]:
        host, port = request.url.raw_host.decode("ascii"), port_of(request.url)
        if host in LOOPBACK_NAMES:
            found: Sequence[str] = ("127.0.0.1",) if host == "localhost" else (host,)
        else:
            try:
                found = await self._resolve(host, port)
            except OSError as error:
                raise httpx2.ConnectError("the name cannot be resolved", request=request) from error
        addresses = [parse_address(text) for text in found]
        if not addresses:
            raise httpx2.ConnectError("the name has no address", request=request)
        for address in addresses:
            # One bad address condemns the name: an honest one has none.
            require_address(address, self._rules, port=port)
        return addresses

    async def _ask(self, request: httpx2.Request, address: Address) -> httpx2.Response:
        rules, url = self._rules, request.url
        headers = httpx2.Headers(request.headers)
        headers["host"] = url.netloc.decode("ascii")
        headers["accept-encoding"] = "identity"
        pinned = httpx2.Request(
            request.method,
            url.copy_with(host=str(address)),
            headers=headers,
            stream=request.stream,
            extensions={
                "sni_hostname": url.raw_host.decode("ascii"),
                "timeout": {"connect": rules.connect_seconds, **dict.fromkeys(("read", "write", "pool"), rules.total_seconds)},
            },
        )
        response = await self._inner.handle_async_request(pinned)
        try:
            content = await self._read(response)
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _DROPPED_HEADERS]
        return httpx2.Response(response.status_code, headers=kept, content=content, request=request)

    async def _read(self, response: httpx2.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            # What a few bytes unpack to is not bounded by what was sent.
            raise EgressRefused("the answer is packed though it was asked for plain")
        content = bytearray()
        async for part in response.aiter_raw():
            content += part
            if len(content) > self._rules.largest_answer:
                raise EgressRefused(f"the answer has more than {self._rules.largest_answer} bytes")
        return bytes(content)


def egress_client(
    rules: EgressRules, *, resolve: Resolve = system_resolve, tls: ssl.SSLContext | None = None
) -> httpx2.AsyncClient:
    """A client of httpx2 over `EgressTransport`: no redirects, no proxies or credentials from the environment, no cookies."""
    return httpx2.AsyncClient(
        transport=EgressTransport(rules, resolve=resolve, tls=tls),
        follow_redirects=False,
        trust_env=False,
        headers={"user-agent": "tradingcore"},
        timeout=None,  # the transport has its own
    )
