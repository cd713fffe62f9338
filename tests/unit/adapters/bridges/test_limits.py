"""What limits do while the store that all processes share is away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.bridges.limits import FallbackAttemptLimiter, FallbackRateLimiter
from adapters.memory.limits import MemoryAttemptLimiter, MemoryRateLimiter
from tradingcore.kernel.errors import TooManyAttempts, Unavailable
from tradingcore.kernel.limits import AttemptKey, Quota, RateState, Reservation
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter
from tradingcore.testing.fakes import FakeClock
from tradingcore.testing.limits import AttemptLimiterContract, RateLimiterContract, a_bucket, an_attempt_key


class BreakableAttempts(AttemptLimiter):
    """A limiter whose store can be taken away."""

    def __init__(self, clock: FakeClock) -> None:
        self._inner = MemoryAttemptLimiter(clock)
        self.is_away = False

    def _ask(self) -> MemoryAttemptLimiter:
        if self.is_away:
            raise Unavailable("the store is away")
        return self._inner

    async def reserve(self, keys: Sequence[AttemptKey]) -> Reservation:
        return await self._ask().reserve(keys)

    async def refund(self, reservation: Reservation) -> None:
        await self._ask().refund(reservation)

    async def clear(self, keys: Sequence[AttemptKey]) -> None:
        await self._ask().clear(keys)


class BreakableRates(RateLimiter):
    def __init__(self, quota: Quota) -> None:
        self._inner = MemoryRateLimiter(quota)
        self.is_away = False
        self.asked = 0

    async def hit(self, key: str) -> RateState:
        self.asked += 1
        if self.is_away:
            raise Unavailable("the store is away")
        return await self._inner.hit(key)


class TestFallbackAttemptLimiter(AttemptLimiterContract):
    @pytest.fixture
    def limiter(self) -> AttemptLimiter:
        self.clock = FakeClock()
        return FallbackAttemptLimiter(BreakableAttempts(self.clock), BreakableAttempts(self.clock))

    async def pass_time(self, time: timedelta) -> None:
        self.clock.advance(time)


class TestFallbackAttemptLimiterInAnOutage(TestFallbackAttemptLimiter):
    @pytest.fixture
    def limiter(self) -> AttemptLimiter:
        self.clock = FakeClock()
        shared = BreakableAttempts(self.clock)
        shared.is_away = True
        return FallbackAttemptLimiter(shared, BreakableAttempts(self.clock))


class TestFallbackRateLimiter(RateLimiterContract):
    seconds = 0.0

    @pytest.fixture
    def limiter(self) -> RateLimiter:
        return FallbackRateLimiter(
            MemoryRateLimiter(self.QUOTA, now=lambda: self.seconds), MemoryRateLimiter(self.QUOTA), now=lambda: self.seconds
        )

    async def pass_time(self, time: timedelta) -> None:
        self.seconds += time.total_seconds()


@pytest.fixture
def shared() -> BreakableAttempts:
    return BreakableAttempts(FakeClock())


@pytest.fixture
def standby() -> BreakableAttempts:
    return BreakableAttempts(FakeClock())


async def test_without_any_counter_nobody_may_try(shared: BreakableAttempts, standby: BreakableAttempts) -> None:
    limiter = FallbackAttemptLimiter(shared, standby)
    shared.is_away = standby.is_away = True
    with pytest.raises(Unavailable):
        await limiter.reserve([an_attempt_key()])


async def test_an_outage_gives_one_more_round_and_no_more(shared: BreakableAttempts, standby: BreakableAttempts) -> None:
    key, granted = an_attempt_key(a_bucket(limit=5)), 0
    limiter = FallbackAttemptLimiter(shared, standby)
    for number in range(60):
        shared.is_away = number % 3 == 1
        try:
            await limiter.reserve([key])
        except TooManyAttempts:
            continue
        granted += 1
    assert granted == 10


async def test_a_right_attempt_stays_right_though_it_cannot_be_uncounted(
    shared: BreakableAttempts, standby: BreakableAttempts
) -> None:
    told: list[str] = []
    limiter = FallbackAttemptLimiter(shared, standby, tell=told.append)
    key = an_attempt_key(a_bucket(limit=1))
    reservation = await limiter.reserve([key])
    shared.is_away = standby.is_away = True
    await limiter.refund(reservation)
    await limiter.clear([key])
    assert len(told) == 3
    shared.is_away = False
    with pytest.raises(TooManyAttempts):
        await limiter.reserve([key])


async def test_a_refund_goes_to_where_the_attempt_was_counted(shared: BreakableAttempts, standby: BreakableAttempts) -> None:
    limiter = FallbackAttemptLimiter(shared, standby)
    key = an_attempt_key(a_bucket(limit=1))
    await limiter.reserve([key])
    shared.is_away = True
    during = await limiter.reserve([key])
    shared.is_away = False
    await limiter.refund(during)
    # Both stores named it 1: a refund in the wrong one would let this pass.
    with pytest.raises(TooManyAttempts):
        await limiter.reserve([key])
    shared.is_away = True
    await limiter.reserve([key])


async def test_changes_of_the_store_are_told_once(shared: BreakableAttempts, standby: BreakableAttempts) -> None:
    told: list[str] = []
    limiter = FallbackAttemptLimiter(shared, standby, tell=told.append)
    for is_away in (False, True, True, False, False):
        shared.is_away = is_away
        await limiter.reserve([an_attempt_key(a_bucket(limit=50))])
        assert limiter.is_degraded is is_away
    assert len(told) == 2


async def test_requests_go_on_under_a_part_of_the_limit_without_waiting_each_time() -> None:
    quota, seconds, told = Quota(limit=100, window_seconds=60), 0.0, list[str]()
    shared = BreakableRates(quota)
    limiter = FallbackRateLimiter(
        shared, MemoryRateLimiter(quota.shared_by(4), now=lambda: seconds), now=lambda: seconds, tell=told.append
    )
    shared.is_away = True
    states = [await limiter.hit("a") for _ in range(40)]
    assert [state.is_allowed for state in states].count(True) == 25
    assert states[0].limit == 25
    assert shared.asked == 1
    assert len(told) == 1
    seconds = 1.0
    shared.is_away = False
    assert (await limiter.hit("a")).limit == 100
    assert not limiter.is_degraded
    assert len(told) == 2
