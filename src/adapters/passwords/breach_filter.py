"""A Bloom filter of breached passwords in a file: 2.4 bytes for each, none in clear, no question to the outside.

File: a line of JSON ``{"format": "tradingcore-bloom-1", "bits", "hashes", "count"}``, then the bits. Keys are SHA-1 digests of
passwords, the form in which breach lists are published; bit positions are slices of the SHA-256 of a digest.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tradingcore.kernel.errors import InvalidInput, TradingCoreError

FORMAT: Final = "tradingcore-bloom-1"
FALSE_ALARMS: Final = 1e-4
"""Good passwords refused by chance: one in ten thousand, for whom another one is no hardship."""

_LONGEST_HEADER: Final = 200
_SLICE_BYTES: Final = 8


class BreachFilterUnusable(TradingCoreError):
    """The configured file cannot be read or is no filter: for the operator to mend."""

    code = "passwords.breach_filter_unusable"
    title = "Filter of breached passwords unusable"


class BreachFilter:
    """Raises `BreachFilterUnusable`."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                header = file.readline(_LONGEST_HEADER)
                self._start = len(header)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BreachFilterUnusable(f"cannot read the filter of breached passwords {path}: {error}") from None
        try:
            described: dict[str, Any] = json.loads(header)
            self._bits, self._hashes = int(described["bits"]), int(described["hashes"])
            is_filter = described["format"] == FORMAT and 1 <= self._hashes <= 64
        except (ValueError, KeyError, TypeError):
            is_filter = False
        if not is_filter or len(self._map) - self._start != self._bits // 8:
            raise BreachFilterUnusable(
                f"{path} is no filter of breached passwords: build one with `tradingcore data password-filter`"
            )

    def may_contain(self, password: str) -> bool:
        """Tell whether the password was breached: always right about one that was, wrong about one good one in 10,000."""
        digest = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
        return all(self._map[self._start + bit // 8] & 1 << bit % 8 for bit in _positions(digest, self._bits, self._hashes))


def build_filter(hashes: Iterable[str], count: int, path: Path) -> int:
    """Write a filter of ``count`` SHA-1 digests in hexadecimal, one a line, optionally ``:number`` after it; return how many.

    Raises `InvalidInput` with the number of a line that is not one.
    """
    bits = max(8, math.ceil(-count * math.log(FALSE_ALARMS) / math.log(2) ** 2 / 8) * 8)
    number = max(1, round(bits / max(1, count) * math.log(2)))
    content = bytearray(bits // 8)
    added = 0
    for place, line in enumerate(hashes, 1):
        try:
            digest = bytes.fromhex(line.strip().partition(":")[0])
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha1(usedforsecurity=False).digest_size:
            raise InvalidInput(f"line {place} is not a SHA-1 digest in 40 hexadecimal digits")
        for bit in _positions(digest, bits, number):
            content[bit // 8] |= 1 << bit % 8
        added += 1
    header = json.dumps({"format": FORMAT, "bits": bits, "hashes": number, "count": added})
    path.write_bytes(header.encode() + b"\n" + content)
    return added


def _positions(digest: bytes, bits: int, hashes: int) -> Iterator[int]:
    # Two slices make all positions (Kirsch and Mitzenmacher, 2006).
    mixed = hashlib.sha256(digest).digest()
    first, step = (int.from_bytes(mixed[at : at + _SLICE_BYTES], "big") for at in (0, _SLICE_BYTES))
    return ((first + turn * (step | 1)) % bits for turn in range(hashes))
