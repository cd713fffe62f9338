"""Where a call may go: the form of its address, the names on a list, and the addresses behind a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import httpx2

Address = IPv4Address | IPv6Address

HTTPS_PORT: Final = 443
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

# Of the IANA registries of special-purpose addresses, written out: `ipaddress` knows another set in every version of Python.
_SPECIAL_V4: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's translation
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the agent of a cloud's host
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# All that is routed lies in here; what maps or translates IPv4 (::ffff:0:0/96, 64:ff9b::/96) does not.
_GLOBAL_V6: Final = ip_network("2000::/3")
_SPECIAL_V6: Final = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_INNER_SUFFIXES: Final = (".localhost", ".local", ".internal", ".intranet", ".private", ".corp", ".home", ".lan", ".arpa", ".onion")
_NAME: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
"""A whole name in ASCII: at least two labels, the last one no number in any notation."""


class EgressRefused(httpx2.TransportError):
    """A call that the rules forbid: it was not made, or its answer was not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRules:
    """What one adapter may call, and what a call may cost.

    ``hosts`` are exact names; ``None`` allows any public host, for addresses that users give. ``allows_loopback`` is for
    development: it opens loopback addresses, any port there, and plain HTTP to them.
    """

    hosts: frozenset[str] | None
    allows_loopback: bool = False
    connect_seconds: float = 2.0
    total_seconds: float = 5.0
    largest_answer: int = 256 * 1024
    retries: int = 2


def require_url(url: httpx2.URL, rules: EgressRules) -> None:
    """Raise `EgressRefused` unless the form and the name of ``url`` are allowed."""
    host = url.host
    if url.userinfo:
        raise EgressRefused("an address outside must not hold a user or a password")
    if rules.allows_loopback and url.scheme in ("http", "https") and host in LOOPBACK_NAMES:
        return
    if url.scheme != "https":
        raise EgressRefused(f"calls outside use https, was {url.scheme[:16]!r}")
    if port_of(url) != HTTPS_PORT and not rules.allows_loopback:
        raise EgressRefused(f"calls outside go to port {HTTPS_PORT}, was {url.port}")
    name = url.raw_host.decode("ascii")
    if not _NAME.fullmatch(name) or name.endswith(_INNER_SUFFIXES):
        raise EgressRefused("calls outside go to a public name, not to an address or a name of this network")
    if rules.hosts is not None and name not in rules.hosts:
        raise EgressRefused(f"{name[:100]} is not among the hosts that may be called here")


def port_of(url: httpx2.URL) -> int:
    if url.port is not None:
        return int(url.port)
    return 80 if url.scheme == "http" else HTTPS_PORT


def require_address(address: Address, rules: EgressRules, *, port: int) -> None:
    """Raise `EgressRefused` unless ``address`` is one of the public internet, and ``port`` that of HTTPS."""
    if rules.allows_loopback and address.is_loopback:
        return
    if not is_public(address):
        raise EgressRefused("the name leads to an address that is not of the public internet")
    if port != HTTPS_PORT:
        raise EgressRefused(f"calls outside go to port {HTTPS_PORT}, was {port}")


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)


def parse_address(text: str) -> Address:
    """Read what a resolver gives. Raises `EgressRefused`."""
    try:
        return ip_address(text)
    except ValueError:
        raise EgressRefused("the name leads to something that is no address") from None
