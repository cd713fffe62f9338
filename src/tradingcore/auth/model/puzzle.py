"""Proof of work: a puzzle that costs whoever answers it some seconds of one core, and the server one hash.

It slows guessing down without shutting the owner out (Dwork and Naor, "Pricing via Processing or Combatting Junk Mail", 1992; the
form is that of Hashcash).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

PUZZLE_LIFETIME: Final = timedelta(minutes=10)
DIFFICULTY_BITS: Final = 18
LONGEST_NONCE: Final = 64
LONGEST_PUZZLE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedPuzzle:
    """What a caller sends: the puzzle's text as it was given, and the nonce that solves it."""

    puzzle: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PuzzleTerms:
    """What the server sealed into a puzzle's text."""

    bits: int
    expires_at: datetime

    def to_bytes(self) -> bytes:
        return f"{self.bits} {self.expires_at.isoformat()}".encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        bits, _, expires_at = data.decode().partition(" ")
        return cls(bits=int(bits), expires_at=datetime.fromisoformat(expires_at))

    def are_met(self, solved: SolvedPuzzle, *, at: datetime) -> bool:
        """Whether SHA-256 of the puzzle, a colon and the nonce begins with at least so many zero bits, in time."""
        if at >= self.expires_at or len(solved.nonce) > LONGEST_NONCE:
            return False
        digest = hashlib.sha256(f"{solved.puzzle}:{solved.nonce}".encode()).digest()
        return int.from_bytes(digest) >> (8 * len(digest) - self.bits) == 0


def solve(puzzle: str, bits: int) -> SolvedPuzzle:
    """Work until a nonce is found, 2 ** ``bits`` hashes on average: what clients do, and tests."""
    start, shift, nonce = hashlib.sha256(f"{puzzle}:".encode()), 256 - bits, 0
    while True:
        attempt = start.copy()
        attempt.update(str(nonce).encode())
        if int.from_bytes(attempt.digest()) >> shift == 0:
            return SolvedPuzzle(puzzle=puzzle, nonce=str(nonce))
        nonce += 1
