"""Whose address counts: never one that a client wrote itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.peer import peer_from
from tests.asvs import asvs

SOCKET = "203.0.113.1"


def address(*forwarded: str, hops: int, client: Any = (SOCKET, 4711)) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return str(peer_from({"headers": headers, "client": client}, trusted_hops=hops).address)


@asvs("4.1.3", "15.3.4")
@pytest.mark.parametrize("forged", ["198.51.100.9", "127.0.0.1", "198.51.100.9, 10.0.0.1", "::1", "", ",,,", "x" * 5000])
def test_without_trusted_proxies_only_the_socket_counts(forged: str) -> None:
    assert address(forged, hops=0) == SOCKET


@asvs("4.1.3", "15.3.4")
@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        (1, ["198.51.100.9"], "198.51.100.9"),
        (1, ["6.6.6.6, 198.51.100.9"], "198.51.100.9"),
        (1, ["6.6.6.6", "198.51.100.9"], "198.51.100.9"),
        (1, ["127.0.0.1,198.51.100.9"], "198.51.100.9"),
        (2, ["198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        (2, ["6.6.6.6, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        (2, ["6.6.6.6, 198.51.100.9", "10.0.0.2"], "198.51.100.9"),
        (3, ["198.51.100.9, 10.0.0.2"], SOCKET),
        (1, [], SOCKET),
        (1, [""], SOCKET),
        (1, ["6.6.6.6,"], SOCKET),
        (1, ["unknown"], SOCKET),
        (1, ["6.6.6.6, _hidden"], SOCKET),
        (1, ["198.51.100.9:55123"], "198.51.100.9"),
        (1, ["[2001:db8::5]:443"], "2001:db8::5"),
        (1, ["2001:db8::5"], "2001:db8::5"),
        (1, ["::ffff:198.51.100.9"], "198.51.100.9"),
        (1, ["fe80::1%eth0"], "fe80::1"),
    ],
)
def test_behind_proxies_the_address_is_read_from_the_right(hops: int, forwarded: list[str], expected: str) -> None:
    assert address(*forwarded, hops=hops) == expected


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30), max_size=5))
def test_nothing_that_a_client_writes_changes_what_the_proxy_adds(written: list[str]) -> None:
    assert address(*written, "198.51.100.9", hops=1) == "198.51.100.9"
    assert address(", ".join([*written, "198.51.100.9"]), hops=1) == "198.51.100.9"


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=30), max_size=5), st.integers(0, 4))
def test_no_header_breaks_the_reader(written: list[str], hops: int) -> None:
    assert address(*written, hops=hops)


def test_a_socket_without_an_address_is_nowhere() -> None:
    assert address(hops=0, client=None) == address(hops=0, client=("", 0)) == "0.0.0.0"


def test_the_agent_is_short_and_printable() -> None:
    scope = {"headers": [(b"user-agent", b"Mozilla/5.0 \x1b[31m\n" + b"x" * 900), (b"user-agent", b"other")], "client": None}
    agent = peer_from(scope, trusted_hops=0).user_agent
    assert agent.startswith("Mozilla/5.0  [31m ")
    assert len(agent) == 256
    assert agent.isprintable()


@pytest.mark.parametrize(
    ("headers", "is_direct"), [([], True), ([(b"forwarded", b"for=x")], False), ([(b"x-forwarded-for", b"x")], False)]
)
def test_a_request_that_came_through_a_proxy_is_not_direct(headers: list[tuple[bytes, bytes]], is_direct: bool) -> None:
    assert peer_from({"headers": headers, "client": (SOCKET, 1)}, trusted_hops=0).is_direct is is_direct
