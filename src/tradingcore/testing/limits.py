"""Contracts and builders of the limiters."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta

import pytest

from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import AttemptKey, Bucket, Excess, Quota, Reservation
from tradingcore.kernel.ports import AttemptLimiter, RateLimiter

SECRET = b"k" * 32
WINDOW = timedelta(seconds=0.4)
"""Short enough to wait for, long enough for what a test does within it."""


def a_bucket(
    name: str = "a",
    *,
    limit: int = 3,
    window: timedelta = timedelta(hours=1),
    excess: Excess = Excess.REFUSE,
    in_a_row: bool = False,
) -> Bucket:
    return Bucket(name=name, limit=limit, window=window, excess=excess, is_consecutive=in_a_row)


def an_attempt_key(bucket: Bucket | None = None, subject: str = "somebody") -> AttemptKey:
    return AttemptKey.of(bucket or a_bucket(), subject, key=SECRET)


async def room_in(limiter: AttemptLimiter, key: AttemptKey, *, at_most: int = 50) -> int:
    """How many attempts are left; takes them and gives them back."""
    taken: list[Reservation] = []
    try:
        while len(taken) < at_most and not (taken[-1].needs_challenge if taken else False):
            taken.append(await limiter.reserve([key]))
    except TooManyAttempts:
        pass
    for reservation in taken:
        await limiter.refund(reservation)
    return len(taken) - (taken[-1].needs_challenge if taken else 0)


async def reserve_or_not(limiter: AttemptLimiter, *keys: AttemptKey) -> Reservation | None:
    try:
        return await limiter.reserve(keys)
    except TooManyAttempts:
        return None


class AttemptLimiterContract(ABC):
    """Subclass it, and supply a fixture ``limiter`` (nothing counted yet) and the method below."""

    @abstractmethod
    async def pass_time(self, time: timedelta) -> None:
        """Let that much time pass for the limiter."""

    async def test_a_bucket_takes_its_limit_and_no_more(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key()
        for _ in range(3):
            assert not (await limiter.reserve([key])).needs_challenge
        for _ in range(2):
            with pytest.raises(TooManyAttempts) as refused:
                await limiter.reserve([key])
            assert 3590 <= refused.value.retry_after_seconds <= 3600

    async def test_a_refusal_does_not_say_for_which_bucket(self, limiter: AttemptLimiter) -> None:
        texts = set()
        for bucket in (a_bucket("account", limit=1), a_bucket("network", limit=1)):
            key = an_attempt_key(bucket)
            await limiter.reserve([key])
            with pytest.raises(TooManyAttempts) as refused:
                await limiter.reserve([key, an_attempt_key(a_bucket("third"))])
            texts.add(str(refused.value))
        assert len(texts) == 1

    async def test_one_full_bucket_counts_nothing_in_the_others(self, limiter: AttemptLimiter) -> None:
        full, other = an_attempt_key(a_bucket("full", limit=1)), an_attempt_key(a_bucket("other", limit=2))
        await limiter.reserve([full])
        for keys in ([full, other], [other, full]):
            assert await reserve_or_not(limiter, *keys) is None
        assert await room_in(limiter, other) == 2

    async def test_subjects_and_buckets_count_apart(self, limiter: AttemptLimiter) -> None:
        one = a_bucket("one", limit=1)
        for key in (an_attempt_key(one, "a"), an_attempt_key(one, "b"), an_attempt_key(a_bucket("two", limit=1), "a")):
            await limiter.reserve([key])
            assert await reserve_or_not(limiter, key) is None

    async def test_a_refund_makes_room_once(self, limiter: AttemptLimiter) -> None:
        keys = [an_attempt_key(a_bucket("one")), an_attempt_key(a_bucket("two", limit=2))]
        first = await limiter.reserve(keys)
        await limiter.reserve(keys)
        for _ in range(3):
            await limiter.refund(first)
        assert [await room_in(limiter, key) for key in keys] == [2, 1]

    async def test_a_refund_of_what_was_cleared_meanwhile_takes_nothing_else(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key()
        old = await limiter.reserve([key])
        await limiter.clear([key])
        await limiter.reserve([key])
        await limiter.refund(old)
        assert await room_in(limiter, key) == 2

    async def test_clearing_forgets_exactly_what_is_named(self, limiter: AttemptLimiter) -> None:
        one, two = an_attempt_key(a_bucket("one")), an_attempt_key(a_bucket("two"))
        for _ in range(3):
            await limiter.reserve([one, two])
        await limiter.clear([one])
        await limiter.clear([])
        assert (await room_in(limiter, one), await room_in(limiter, two)) == (3, 0)

    async def test_a_window_moves(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key(a_bucket(limit=2, window=WINDOW))
        await limiter.reserve([key])
        await self.pass_time(WINDOW * 0.7)
        await limiter.reserve([key])
        assert await reserve_or_not(limiter, key) is None
        await self.pass_time(WINDOW * 0.5)
        # The first is out of the window, the second is not: a window with edges would take two.
        assert await reserve_or_not(limiter, key) is not None
        assert await reserve_or_not(limiter, key) is None

    async def test_a_refused_attempt_does_not_lengthen_the_wait(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key(a_bucket(limit=1, window=WINDOW))
        await limiter.reserve([key])
        await self.pass_time(WINDOW * 0.6)
        assert await reserve_or_not(limiter, key) is None
        await self.pass_time(WINDOW * 0.6)
        assert await reserve_or_not(limiter, key) is not None

    async def test_a_row_of_failures_ends_by_success_alone(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key(a_bucket(limit=3, window=WINDOW, in_a_row=True))
        for _ in range(3):
            await limiter.reserve([key])
            await self.pass_time(WINDOW * 0.6)
        assert await reserve_or_not(limiter, key) is None
        await limiter.clear([key])
        reservation = await limiter.reserve([key])
        assert reservation.consecutive == (key,)

    async def test_a_row_is_forgotten_when_nobody_tried_for_a_whole_window(self, limiter: AttemptLimiter) -> None:
        key = an_attempt_key(a_bucket(limit=2, window=WINDOW, in_a_row=True))
        await limiter.reserve([key])
        await limiter.reserve([key])
        await self.pass_time(WINDOW * 1.2)
        assert await room_in(limiter, key) == 2

    async def test_a_full_bucket_that_asks_for_a_challenge_refuses_nobody(self, limiter: AttemptLimiter) -> None:
        soft = an_attempt_key(a_bucket("soft", limit=2, excess=Excess.CHALLENGE))
        hard = an_attempt_key(a_bucket("hard", limit=4))
        needs = [(await limiter.reserve([soft, hard])).needs_challenge for _ in range(4)]
        assert needs == [False, False, True, True]
        assert await reserve_or_not(limiter, soft, hard) is None
        await limiter.clear([hard])
        extra = await limiter.reserve([soft, hard])
        await limiter.refund(extra)
        # What was reserved beyond the limit was never counted, so that its refund frees nothing.
        assert (await limiter.reserve([soft, hard])).needs_challenge

    async def test_the_wait_is_that_of_the_last_bucket_to_have_room(self, limiter: AttemptLimiter) -> None:
        minute, hour = a_bucket("minute", limit=1, window=timedelta(minutes=1)), a_bucket("hour", limit=1)
        keys = [an_attempt_key(minute), an_attempt_key(hour)]
        await limiter.reserve(keys)
        with pytest.raises(TooManyAttempts) as refused:
            await limiter.reserve(keys)
        assert refused.value.retry_after_seconds > 3500
        await limiter.clear(keys[1:])
        with pytest.raises(TooManyAttempts) as refused:
            await limiter.reserve(keys)
        assert 50 <= refused.value.retry_after_seconds <= 60

    async def test_parallel_attempts_never_pass_a_limit(self, limiter: AttemptLimiter) -> None:
        shared = an_attempt_key(a_bucket("shared", limit=20))
        own = [an_attempt_key(a_bucket("own", limit=15), f"{number}") for number in range(2)]
        results = await asyncio.gather(*(reserve_or_not(limiter, shared, own[number % 2]) for number in range(60)))
        granted = [reservation for reservation in results if reservation is not None]
        assert len(granted) == 20
        assert len({reservation.id for reservation in granted}) == 20
        await asyncio.gather(*(limiter.refund(reservation) for reservation in granted))
        assert await room_in(limiter, shared) == 20
        assert [await room_in(limiter, key) for key in own] == [15, 15]


class RateLimiterContract(ABC):
    """Subclass it with a fixture ``limiter`` whose quota is `QUOTA`, nothing counted yet."""

    QUOTA = Quota(limit=5, window_seconds=1)

    @abstractmethod
    async def pass_time(self, time: timedelta) -> None:
        """Let that much time pass for the limiter."""

    async def test_remaining_counts_down_to_the_refusal(self, limiter: RateLimiter) -> None:
        states = [await limiter.hit("a") for _ in range(7)]
        assert [state.remaining for state in states] == [4, 3, 2, 1, 0, 0, 0]
        assert [state.is_allowed for state in states] == [True] * 5 + [False] * 2
        assert all(state.limit == 5 and state.window_seconds == 1 for state in states)
        assert all(0 < state.reset_seconds <= 1 for state in states)

    async def test_keys_count_apart(self, limiter: RateLimiter) -> None:
        for _ in range(6):
            await limiter.hit("a")
        assert (await limiter.hit("b")).is_allowed

    async def test_the_window_moves(self, limiter: RateLimiter) -> None:
        await limiter.hit("a")
        await self.pass_time(timedelta(seconds=0.6))
        for _ in range(4):
            assert (await limiter.hit("a")).is_allowed
        assert not (await limiter.hit("a")).is_allowed
        await self.pass_time(timedelta(seconds=0.6))
        # Only the first of five is older than the window.
        assert [(await limiter.hit("a")).is_allowed for _ in range(2)] == [True, False]

    async def test_what_was_refused_does_not_count(self, limiter: RateLimiter) -> None:
        for _ in range(50):
            await limiter.hit("a")
        await self.pass_time(timedelta(seconds=1.1))
        assert (await limiter.hit("a")).remaining == 4

    async def test_parallel_requests_never_pass_the_limit(self, limiter: RateLimiter) -> None:
        states = await asyncio.gather(*(limiter.hit("a") for _ in range(40)))
        assert sum(state.is_allowed for state in states) == 5
