from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.memory import limits
from adapters.memory.limits import MemoryAttemptLimiter, MemoryRateLimiter
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.limits import AttemptLimiterContract, RateLimiterContract, a_bucket, an_attempt_key


class TestMemoryAttemptLimiter(AttemptLimiterContract):
    @pytest.fixture
    def limiter(self) -> AttemptLimiter:
        self.clock = FakeClock()
        return MemoryAttemptLimiter(self.clock)

    async def pass_time(self, time: timedelta) -> None:
        self.clock.advance(time)


class TestMemoryRateLimiter(RateLimiterContract):
    seconds = 0.0

    @pytest.fixture
    def limiter(self) -> RateLimiter:
        return MemoryRateLimiter(self.QUOTA, now=lambda: self.seconds)

    async def pass_time(self, time: timedelta) -> None:
        self.seconds += time.total_seconds()


async def test_keys_that_nobody_uses_are_forgotten() -> None:
    seconds = 0.0
    limiter = MemoryRateLimiter(RateLimiterContract.QUOTA, now=lambda: seconds)
    for number in range(100):
        await limiter.hit(str(number))
    seconds = 10.0
    for number in range(100):
        await limiter.hit(f"later {number}")
    assert len(limiter._hits) == 100


async def test_what_callers_can_make_a_limiter_hold_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    rates, attempts = MemoryRateLimiter(RateLimiterContract.QUOTA), MemoryAttemptLimiter(FakeClock())
    for number in range(50):
        await rates.hit(str(number))
        await attempts.reserve([an_attempt_key(a_bucket(), str(number))])
    assert (len(rates._hits), len(attempts._counters)) == (10, 10)
