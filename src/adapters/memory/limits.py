from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import AttemptKey, Bucket, Excess, Quota, RateState, Reservation, retry_after
from tradingcore.kernel.ports import AttemptLimiter, Clock, RateLimiter

MOST_KEYS: Final = 50_000
"""Beyond it the key that nobody used for longest is forgotten: what a limiter holds must not be for callers to decide."""


_Hits = dict[int, datetime]
"""Reservation to when it was made, oldest first."""


class MemoryAttemptLimiter(AttemptLimiter):
    """The attempts of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counters: OrderedDict[tuple[str, bytes], _Hits] = OrderedDict()
        self._last_id = 0

    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        now = self._clock.now()
        counters = {key: self._counter(key, now) for key in keys}
        full = [key for key, hits in counters.items() if len(hits) >= key.bucket.limit]
        refusing = [key for key in full if key.bucket.excess is Excess.REFUSE]
        if refusing:
            waits = [_until_room(key.bucket, counters[key], now) for key in refusing]
            raise TooManyAttempts("too many attempts: wait before the next one", retry_after_seconds=retry_after(waits))
        self._last_id += 1
        for key, hits in counters.items():
            if key not in full:
                hits[self._last_id] = now
        return Reservation(id=str(self._last_id), keys=tuple(keys), needs_challenge=bool(full))

    async def refund(self, reservation: Reservation) -> None:
        for key in reservation.keys:
            self._counters.get((key.bucket.name, key.subject), {}).pop(int(reservation.id), None)

    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        for key in keys:
            self._counters.pop((key.bucket.name, key.subject), None)

    def _counter(self, key: AttemptKey, now: datetime) -> _Hits:
        name = (key.bucket.name, key.subject)
        hits = self._counters.setdefault(name, {})
        self._counters.move_to_end(name)
        if len(self._counters) > MOST_KEYS:
            self._counters.popitem(last=False)
        horizon = now - key.bucket.window
        newest = max(hits.values(), default=now)
        for hit in [hit for hit, at in hits.items() if (newest if key.bucket.is_consecutive else at) <= horizon]:
            del hits[hit]
        return hits


def _until_room(bucket: Bucket, hits: _Hits, now: datetime) -> timedelta:
    times = tuple(hits.values())
    decisive = times[-1] if bucket.is_consecutive else times[-bucket.limit]
    return decisive + bucket.window - now


class MemoryRateLimiter(RateLimiter):
    """The requests of one process. ``now`` counts seconds and never goes back."""

    def __init__(self, quota: Quota, *, now: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._now = now
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    async def hit(self, key: str) -> RateState:
        quota, now = self._quota, self._now()
        horizon = now - quota.window_seconds
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = deque()
            self._forget(horizon)
        while hits and hits[0] <= horizon:
            hits.popleft()
        is_allowed = len(hits) < quota.limit
        if is_allowed:
            hits.append(now)
            self._hits.move_to_end(key)
        return RateState(
            limit=quota.limit,
            window_seconds=quota.window_seconds,
            remaining=quota.limit - len(hits),
            reset_seconds=hits[0] + quota.window_seconds - now,
            is_allowed=is_allowed,
        )

    def _forget(self, horizon: float) -> None:
        # The first is the one whose newest hit is oldest. Two go for each that comes, so that nothing piles up.
        for _ in range(2):
            oldest = next(iter(self._hits.values()))
            if not oldest or oldest[-1] > horizon:
                break
            self._hits.popitem(last=False)
        if len(self._hits) > MOST_KEYS:
            self._hits.popitem(last=False)
