"""G22: whatever is thrown at an account, its owner signs in from the device that was trusted."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import HERE, SignInWorld
from tradingcore.auth.errors import CredentialRefused, WorkRequired
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.puzzle import solve
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.network import NetworkPrefix


class Siege:
    """An attacker with many networks, the owner's own among them, who solves every puzzle."""

    def __init__(self, *, seed: int) -> None:
        self.world = SignInWorld()
        self.random = random.Random(seed)
        self.outcomes: dict[str, int] = {"refused": 0, "too_many": 0, "puzzle": 0}

    async def begin(self) -> Caller:
        """The owner's device, trusted before the attack began."""
        account = await self.world.an_owner("ana")
        await self.world.with_totp(account)
        asked = await self.world.enters("ana")
        assert isinstance(asked, FactorRequired)
        opened = await self.world.answered(asked, trusts_device=True)
        assert opened.trusted_device is not None
        return Caller(network=HERE.network, device_label="Firefox on Linux", trusted_device=opened.trusted_device.token)

    async def attack(self) -> None:
        number = self.random.randrange(2_000)
        network = HERE.network if number < 200 else NetworkPrefix(f"198.{number % 200}.{number // 200}.1")
        guess = f"guess {self.random.random()}"
        caller = Caller(network=network)
        try:
            try:
                await self.world.enters("ana", password=guess, caller=caller)
            except WorkRequired as asked:
                self.outcomes["puzzle"] += 1
                await self.world.enters("ana", password=guess, caller=caller, solved=solve(asked.puzzle, asked.bits))
        except CredentialRefused:
            self.outcomes["refused"] += 1
        except TooManyAttempts:
            self.outcomes["too_many"] += 1


async def besiege(*, attempts: int, sign_ins: int, seed: int) -> tuple[int, dict[str, int]]:
    """How often the owner got in, and what became of the attacker."""
    siege = Siege(seed=seed)
    owner = await siege.begin()
    entered = 0
    for _ in range(sign_ins):
        for _ in range(attempts // sign_ins):
            await siege.attack()
            siege.world.clock.advance(timedelta(seconds=siege.random.expovariate(1.0)))
        try:
            entered += isinstance(await siege.world.enters("ana", caller=owner), OpenedSession)
        except (TooManyAttempts, CredentialRefused):
            continue
    return entered, siege.outcomes


@asvs("6.3.1", "6.1.1")
async def test_the_owner_signs_in_from_the_trusted_device_while_somebody_guesses() -> None:
    entered, outcomes = await besiege(attempts=1_500, sign_ins=15, seed=22)
    assert entered == 15
    # The attack was one: it filled every bucket that others can fill, and the last of them for good.
    assert outcomes["too_many"] > 1_000
    assert outcomes["puzzle"] > 0
    assert outcomes["refused"] <= 100


@pytest.mark.campaign
@pytest.mark.timeout(1200)
async def test_the_owner_signs_in_a_hundred_times_under_ten_thousand_guesses() -> None:
    started, seed = time.monotonic(), 2226
    entered, outcomes = await besiege(attempts=10_000, sign_ins=100, seed=seed)
    evidence = {"id": "G22", "n": 10_000, "failures": 100 - entered, "seed": seed, "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps({**evidence, **outcomes}))
    assert entered == 100
