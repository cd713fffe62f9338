"""The table of limits, as people meet it: who is stopped, when, and who is not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from adapters.memory.limits import MemoryAttemptLimiter
from tests.asvs import asvs
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.limits import AttemptKey
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.testing.fakes import FakeClock

POLICY = AttemptPolicy(key=b"k" * 32)
HOME = NetworkPrefix.of("203.0.113.7")
USER = UserId(UUID(int=1))


def a_network(number: int) -> NetworkPrefix:
    return NetworkPrefix.of(f"198.51.{number // 256}.{number % 256}")


class Attempts:
    """Counts attempts that all fail."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limiter = MemoryAttemptLimiter(self.clock)

    async def fail(self, keys: tuple[AttemptKey, ...]) -> str:
        try:
            reservation = await self.limiter.reserve(keys)
        except TooManyAttempts:
            return "refused"
        return "challenged" if reservation.needs_challenge else "taken"

    async def failing(self, keys: tuple[AttemptKey, ...], times: int) -> list[str]:
        return [await self.fail(keys) for _ in range(times)]


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


@asvs("6.3.1", "6.1.1")
async def test_five_wrong_passwords_from_one_network_are_enough_for_a_quarter_of_an_hour(attempts: Attempts) -> None:
    keys = POLICY.sign_in(account="ada@example.com", network=HOME)
    assert await attempts.failing(keys, 7) == ["taken"] * 5 + ["refused"] * 2
    attempts.clock.advance(timedelta(minutes=15))
    assert await attempts.fail(keys) == "taken"


@asvs("6.3.1")
async def test_an_account_under_attack_from_everywhere_is_challenged_and_never_locked(attempts: Attempts) -> None:
    answers = [await attempts.fail(POLICY.sign_in(account="ada@example.com", network=a_network(number))) for number in range(30)]
    assert answers == ["taken"] * 20 + ["challenged"] * 10
    assert await attempts.fail(POLICY.sign_in(account="ada@example.com", network=HOME)) == "challenged"
    assert await attempts.fail(POLICY.sign_in(account="bob@example.com", network=HOME)) == "taken"


async def test_a_trusted_device_counts_by_itself_whatever_others_do(attempts: Attempts) -> None:
    device = POLICY.sign_in(account="ada@example.com", network=HOME, device="laptop")
    for number in range(60):
        await attempts.failing(POLICY.sign_in(account="ada@example.com", network=HOME), 2)
        await attempts.fail(POLICY.sign_in(account="ada@example.com", network=a_network(number)))
    assert await attempts.failing(device, 6) == ["taken"] * 5 + ["refused"]
    assert await attempts.fail(POLICY.sign_in(account="ada@example.com", network=HOME, device="phone")) == "taken"
    assert await attempts.fail(POLICY.sign_in(account="eve@example.com", network=HOME, device="laptop")) == "taken"


async def test_a_hundred_failures_in_a_row_close_the_password_until_it_is_reset(attempts: Attempts) -> None:
    day = 0
    taken = 0
    while taken < 100:
        taken += await attempts.fail(POLICY.sign_in(account="ada@example.com", network=a_network(day))) == "taken"
        day += 1
        attempts.clock.advance(timedelta(hours=1))
    attempts.clock.advance(timedelta(days=7))
    keys = POLICY.sign_in(account="ada@example.com", network=HOME)
    assert await attempts.fail(keys) == "refused"
    await attempts.limiter.clear(POLICY.consecutive(account="ada@example.com"))
    assert await attempts.fail(keys) == "taken"


@asvs("6.3.1")
async def test_one_network_cannot_try_one_password_on_many_accounts(attempts: Attempts) -> None:
    answers = [await attempts.fail(POLICY.sign_in(account=f"{number}@example.com", network=HOME)) for number in range(40)]
    assert answers == ["taken"] * 30 + ["refused"] * 10


async def test_a_network_has_two_hundred_failures_a_day(attempts: Attempts) -> None:
    taken = 0
    for number in range(400):
        taken += await attempts.fail(POLICY.sign_in(account=f"{number}@example.com", network=HOME)) == "taken"
        attempts.clock.advance(timedelta(minutes=1))
    assert taken == 200


async def test_a_flood_over_all_accounts_and_networks_has_everybody_challenged(attempts: Attempts) -> None:
    for number in range(1000):
        assert await attempts.fail(POLICY.sign_in(account=f"{number}@example.com", network=a_network(number))) == "taken"
    assert await attempts.fail(POLICY.sign_in(account="ada@example.com", network=HOME)) == "challenged"
    attempts.clock.advance(timedelta(minutes=5))
    assert await attempts.fail(POLICY.sign_in(account="ada@example.com", network=HOME)) == "taken"


@asvs("6.6.3", "6.3.1")
async def test_codes_are_guessed_five_times_twenty_an_hour_and_fifty_a_day(attempts: Attempts) -> None:
    per_hour: list[int] = []
    for _ in range(4):
        taken = 0
        for minute in range(60):
            taken += (await attempts.failing(POLICY.code_check(user_id=USER, challenge=f"{len(per_hour)}.{minute}"), 9)).count(
                "taken"
            )
            attempts.clock.advance(timedelta(minutes=1))
        per_hour.append(taken)
    assert per_hour == [20, 20, 10, 0]


@asvs("6.6.3")
async def test_a_challenge_dies_after_five_wrong_codes_however_slow(attempts: Attempts) -> None:
    answers = []
    for _ in range(7):
        answers.append(await attempts.fail(POLICY.code_check(user_id=USER, challenge="one")))
        attempts.clock.advance(timedelta(minutes=5))
    assert answers == ["taken"] * 5 + ["refused"] * 2
    assert await attempts.fail(POLICY.code_check(user_id=USER, challenge="two")) == "taken"


async def test_a_right_code_costs_nothing(attempts: Attempts) -> None:
    keys = POLICY.code_check(user_id=USER)
    for _ in range(60):
        await attempts.limiter.refund(await attempts.limiter.reserve(keys))
    assert await attempts.failing(keys, 6) == ["taken"] * 5 + ["refused"]


@asvs("2.4.1")
async def test_accounts_and_mails_are_asked_for_with_measure(attempts: Attempts) -> None:
    assert (await attempts.failing(POLICY.registration(network=HOME), 12)).count("taken") == 10
    assert (await attempts.failing(POLICY.verification_mail(account="ana@example.org"), 9)).count("taken") == 3
    reset = POLICY.reset_mail(account="ada@example.com")
    assert await attempts.failing(reset, 2) == ["taken", "refused"]
    taken = 1
    for _ in range(30):
        attempts.clock.advance(timedelta(minutes=1))
        taken += await attempts.fail(reset) == "taken"
    assert taken == 5


async def test_somebody_signed_in_guesses_the_own_password_five_times(attempts: Attempts) -> None:
    assert (await attempts.failing(POLICY.password_check(user_id=USER, session="s"), 7)).count("taken") == 5


def test_counters_do_not_tell_whose_they_are() -> None:
    keys = POLICY.sign_in(account="ada@example.com", network=HOME)
    other = AttemptPolicy(key=b"o" * 32).sign_in(account="ada@example.com", network=HOME)
    assert all(len(key.subject) == 32 for key in keys)
    assert not {key.subject for key in keys} & {key.subject for key in other}
    joined = {POLICY.sign_in(account="a", network=HOME, device="bc")[0], POLICY.sign_in(account="ab", network=HOME, device="c")[0]}
    assert len(joined) == 2
