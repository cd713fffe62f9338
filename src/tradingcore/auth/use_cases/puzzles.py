"""Puzzles that callers solve before something is looked at, where somebody guesses a lot."""

from __future__ import annotations

from dataclasses import dataclass

from tradingcore.auth.errors import Unsealable, WorkRequired
from tradingcore.auth.model.puzzle import DIFFICULTY_BITS, LONGEST_PUZZLE, PUZZLE_LIFETIME, PuzzleTerms, SolvedPuzzle
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.ports import AttemptLimiter, Clock

_PURPOSE = "puzzle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzles:
    """Sets puzzles and checks answers; nothing is stored but that an answer was used. Not a use case."""

    sealer: PurposeSealer
    attempts: AttemptLimiter
    limits: AttemptPolicy
    clock: Clock
    bits: int = DIFFICULTY_BITS

    async def require(self, solved: SolvedPuzzle | None, *, about: str) -> None:
        """Raise `WorkRequired`, with a fresh puzzle, unless ``solved`` answers one that was set for ``about`` and not used yet."""
        if solved is None or not self._is_right(solved, about) or not await self._is_first(solved):
            terms = PuzzleTerms(bits=self.bits, expires_at=self.clock.now() + PUZZLE_LIFETIME)
            puzzle = self.sealer.seal(terms.to_bytes(), purpose=_PURPOSE, about=about)
            raise WorkRequired("solve the puzzle first, then send the same again with its nonce", puzzle=puzzle, bits=self.bits)

    def _is_right(self, solved: SolvedPuzzle, about: str) -> bool:
        if len(solved.puzzle) > LONGEST_PUZZLE:
            return False
        try:
            terms = PuzzleTerms.from_bytes(self.sealer.open(solved.puzzle, purpose=_PURPOSE, about=about))
        except Unsealable:
            return False
        return terms.are_met(solved, at=self.clock.now())

    async def _is_first(self, solved: SolvedPuzzle) -> bool:
        try:
            await self.attempts.reserve(self.limits.puzzle(solved.puzzle))
        except TooManyAttempts:
            return False
        return True
