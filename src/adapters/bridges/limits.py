"""What limits do while the store that all processes share is away.

Requests in general go on under a part of the limit that each process keeps by itself. Attempts are counted elsewhere, and refused
where that fails too: a limiter that fails open is an attacker's way in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.limits import AttemptKey, RateState, Reservation
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter

PROBE_SECONDS: Final = 1.0
_STANDBY: Final = "standby:"


def _tell_nobody(sentence: str) -> None: ...


class FallbackRateLimiter(RateLimiter):
    """Asks ``shared``, and ``own`` while that is away; after a failure ``shared`` is asked again once a second.

    ``own`` has this process's part of the quota. ``now`` counts seconds and never goes back. ``tell`` is given a sentence when
    ``shared`` goes away and when it is back.
    """

    def __init__(
        self,
        shared: RateLimiter,
        own: RateLimiter,
        *,
        now: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = _tell_nobody,
    ) -> None:
        self._shared = shared
        self._own = own
        self._now = now
        self._tell = tell
        self._next_probe: float | None = None

    @property
    def is_degraded(self) -> bool:
        return self._next_probe is not None

    async def hit(self, key: str) -> RateState:
        now = self._now()
        if self._next_probe is not None:
            if now < self._next_probe:
                return await self._own.hit(key)
            # One call finds out; those that come meanwhile do not wait for the same answer.
            self._next_probe = now + PROBE_SECONDS
        try:
            state = await self._shared.hit(key)
        except Unavailable as error:
            if self._next_probe is None:
                self._tell(f"each process limits requests by itself: {error}")
            self._next_probe = self._now() + PROBE_SECONDS
            return await self._own.hit(key)
        if self._next_probe is not None:
            self._next_probe = None
            self._tell("all processes limit requests together again")
        return state


class FallbackAttemptLimiter(AttemptLimiter):
    """Counts in ``shared``, and in ``standby`` whenever that is away. Raises `Unavailable` when both are.

    Each has counters of its own: whoever guesses across an outage gets one more round, not an open door. ``tell`` is given a
    sentence when ``shared`` goes away, when it is back, and when an attempt could not be uncounted.
    """

    def __init__(self, shared: AttemptLimiter, standby: AttemptLimiter, *, tell: Callable[[str], None] = _tell_nobody) -> None:
        self._shared = shared
        self._standby = standby
        self._tell = tell
        self.is_degraded = False
        """Whether the last reservation was counted in ``standby``."""

    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        try:
            reservation = await self._shared.reserve(keys)
        except Unavailable as error:
            if not self.is_degraded:
                self._tell(f"attempts are counted by the stand-in: {error}")
            self.is_degraded = True
            taken = await self._standby.reserve(keys)
            return replace(taken, id=_STANDBY + taken.id)
        if self.is_degraded:
            self._tell("attempts are counted together again")
        self.is_degraded = False
        return reservation

    async def refund(self, reservation: Reservation) -> None:
        """Never raises `Unavailable`: whoever was right must not be told otherwise; the attempt stays counted at worst."""
        limiter, own_id = self._shared, reservation.id
        if own_id.startswith(_STANDBY):
            limiter, own_id = self._standby, own_id.removeprefix(_STANDBY)
        try:
            await limiter.refund(replace(reservation, id=own_id))
        except Unavailable as error:
            self._tell(f"an attempt that was right stays counted: {error}")

    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        """Clears both, so that neither brings old failures back. Never raises `Unavailable`, for the same reason."""
        for limiter in (self._shared, self._standby):
            try:
                await limiter.clear(keys)
            except Unavailable as error:
                self._tell(f"attempts that were to be forgotten stay counted: {error}")
