"""Where a call comes from, as far as limits and sessions care."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, Self

from tradingcore.kernel.errors import InvalidInput

IPV6_PREFIX_BITS: Final = 64
"""What one customer of a provider is given at least: within it addresses cost nothing."""


@dataclass(frozen=True, slots=True)
class NetworkPrefix:
    """A whole IPv4 address, or the /64 of an IPv6 address: ``203.0.113.7``, ``2001:db8:1:2::/64``."""

    text: str

    @classmethod
    def of(cls, address: str | IPv4Address | IPv6Address) -> Self:
        """The prefix that ``address`` lies in; an IPv4 address mapped into IPv6 counts as what it is. Raises `InvalidInput`."""
        try:
            parsed = ip_address(address)
        except ValueError:
            raise InvalidInput(f"an address must be IPv4 or IPv6, was {str(address)[:64]!r}") from None
        if isinstance(parsed, IPv4Address):
            return cls(str(parsed))
        if parsed.ipv4_mapped is not None:
            return cls(str(parsed.ipv4_mapped))
        return cls(str(IPv6Network((parsed.packed, IPV6_PREFIX_BITS), strict=False)))

    def __str__(self) -> str:
        return self.text
