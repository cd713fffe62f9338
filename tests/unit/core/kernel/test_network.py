from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.network import NetworkPrefix


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_ipv4_counts_whole_and_ipv6_by_its_first_half(address: str, prefix: str) -> None:
    assert str(NetworkPrefix.of(address)) == prefix


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_an_ipv6_address_cannot_leave_its_prefix_by_its_second_half(address: object, rest: int) -> None:
    number = int(ip_address(str(address)))
    moved = ip_address((number >> 64 << 64 | rest).to_bytes(16))
    if number >> 64:
        assert NetworkPrefix.of(str(address)) == NetworkPrefix.of(str(moved))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_in_both_spellings(address: IPv4Address) -> None:
    assert NetworkPrefix.of(address) == NetworkPrefix.of(f"::ffff:{address}") == NetworkPrefix(str(address))


@pytest.mark.parametrize("text", ["", "unknown", "203.0.113.07", "1.2.3", "203.0.113.7:80", "x" * 1000])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        NetworkPrefix.of(text)
