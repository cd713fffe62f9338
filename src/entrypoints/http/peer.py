"""Who is at the other end of a connection, as far as the network tells."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from tradingcore.kernel.network import NetworkPrefix

_LONGEST_AGENT: Final = 256
_NOWHERE: Final = IPv4Address(0)


class Peer:
    """``address`` is that of the client, past the proxies that are trusted.

    ``is_direct`` where no proxy says to have passed the request on.
    """

    # Not a dataclass: the framework looks into those that it injects, and cannot read a choice of two classes.
    __slots__ = ("address", "is_direct", "user_agent")

    def __init__(self, *, address: IPv4Address | IPv6Address, user_agent: str, is_direct: bool) -> None:
        self.address = address
        self.user_agent = user_agent
        self.is_direct = is_direct

    @property
    def network(self) -> NetworkPrefix:
        return NetworkPrefix.of(self.address)


def peer_from(scope: Any, *, trusted_hops: int) -> Peer:
    """Read the client's address from the socket or, behind ``trusted_hops`` proxies, from the right of ``X-Forwarded-For``.

    Each proxy adds whom it speaks to at the right end; what stands left of the trusted ones is what a client wrote itself. A header
    that is shorter than the chain of proxies, or malformed there, did not come through it: then the socket's own address counts.
    """
    forwarded = _values(scope["headers"], b"x-forwarded-for")
    is_direct = not forwarded and not _values(scope["headers"], b"forwarded")
    client = scope.get("client")
    address = _parsed(client[0] if client else "")
    if trusted_hops:
        chain = [part for value in forwarded for part in value.split(",")]
        if len(chain) >= trusted_hops:
            address = _parsed(chain[-trusted_hops]) or address
    agent = "".join(_values(scope["headers"], b"user-agent")[:1])
    shown = "".join(character if character.isprintable() else " " for character in agent[:_LONGEST_AGENT])
    return Peer(address=address or _NOWHERE, user_agent=shown, is_direct=is_direct)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, also in the spellings of proxies: ``1.2.3.4:5678`` and ``[::1]:5678``."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
