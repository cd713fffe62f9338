"""G26: whoever earns on the traffic to numbers can spend no more than the cap, and does not keep others from their codes.

One attacker with many accounts, networks and numbers, in the blocks of numbers that pay; honest people around, of whom a few have
numbers in those blocks. Before that, two ordinary days.
"""

from __future__ import annotations

import heapq
import json
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.memory.auth.phones import MemorySendLedger
from tests.unit.core.auth.phone_world import PhoneWorld, wrong
from tradingcore.auth.errors import CodeRefused, PhoneUnavailable
from tradingcore.auth.model.phone import PhoneNumber, PlannedSend, SpendLimits
from tradingcore.auth.ports.phones import PhoneNumbering
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import TooManyAttempts
from tradingcore.kernel.network import NetworkPrefix

PRICE = Decimal("0.10")
DAY_SECONDS = 86_400
PEOPLE_PER_BLOCK = 13


class PlainNumbering(PhoneNumbering):
    """Takes ``block:digits``: numbers that cost the test nothing to make."""

    def parse(self, text: str) -> PhoneNumber:
        block, _, digits = text.partition(":")
        return PhoneNumber(e164=f"{block}{digits}", region="ES", block=block)


class GenerousLedger(MemorySendLedger):
    """Broken on purpose: counts and never refuses."""

    async def reserve(self, planned: PlannedSend, limits: SpendLimits) -> None:
        unlimited = SpendLimits(daily_cap=Decimal(10**9), daily_cap_per_block=Decimal(10**9), least_converted=Decimal(0))
        await super().reserve(planned, unlimited)


@dataclass
class Siege:
    """``conversion`` is the share of the attacker's own codes that come back, to look like people."""

    attacks: int
    seed: int
    conversion: float = 0.1
    limits: SpendLimits | None = None
    ledger: MemorySendLedger | None = None
    spent_by_attacker: Decimal = Decimal(0)
    proven: int = 0
    people: int = 0
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def blocks_of_attacker(self) -> int:
        return max(2, self.attacks // 2500)

    @property
    def cap(self) -> Decimal:
        return PRICE * 125 * self.blocks_of_attacker

    async def run(self) -> Siege:
        limits = self.limits or SpendLimits(daily_cap=self.cap, daily_cap_per_block=100 * PRICE)
        world = self.world = PhoneWorld(spend=limits)
        if self.ledger is not None:
            world.ledger = self.ledger
            world = self.world = _with_ledger(world, self.ledger)
        object.__setattr__(world.start_proof, "numbering", PlainNumbering())
        self.chance = random.Random(self.seed)
        world.clock.set(world.clock.now().replace(hour=0))  # budgets are those of a day in UTC
        self.attackers = [(await world.owner())[1] for _ in range(max(20, self.attacks // 5))]
        self.networks = [NetworkPrefix(f"attacker {number}") for number in range(max(10, self.attacks // 10))]
        self.paying = [f"+3469{number:03}" for number in range(self.blocks_of_attacker)]
        for _ in range(2):
            await self._day(attacks=0)
        self.people = self.proven = 0
        await self._day(attacks=self.attacks)
        return self

    async def _day(self, *, attacks: int) -> None:
        count = max(52, self.attacks // 50)
        begun = self.world.clock.now()
        # (second, order, what): people all day, the attack in six hours of it.
        plan: list[tuple[float, int, Any]] = [
            (self.chance.uniform(0, DAY_SECONDS), number, await self._person(number, count)) for number in range(count)
        ]
        plan += [(self.chance.uniform(3600, 7 * 3600), count + number, None) for number in range(attacks)]
        heapq.heapify(plan)
        while plan:
            second, _, person = heapq.heappop(plan)
            self.world.clock.set(begun + timedelta(seconds=second))
            if person is None:
                await self._attack()
            else:
                await self._ask(*person)
        self.world.clock.set(begun + timedelta(days=1))

    async def _person(self, number: int, count: int) -> tuple[Actor, str, NetworkPrefix]:
        _, actor = await self.world.owner()
        ordinary = f"+3461{number % (count // PEOPLE_PER_BLOCK):03}"
        block = self.chance.choice(self.paying) if number % 50 == 7 else ordinary
        unique = self.world.ids.new_id().int % 10**6
        return actor, f"{block}:{unique:06}", NetworkPrefix(f"home of {actor.user_id}")

    async def _ask(self, actor: Actor, number: str, network: NetworkPrefix) -> None:
        self.people += 1
        try:
            started = await self.world.start(actor, number, network=network)
        except (TooManyAttempts, PhoneUnavailable):
            return
        code = self.world.gateway.last_code
        if self.chance.random() < 0.2:  # a slip of the finger
            with pytest.raises(CodeRefused):
                await self.world.confirm(actor, started, wrong(code))
        await self.world.confirm(actor, started, code)
        self.proven += 1

    async def _attack(self) -> None:
        actor = self.chance.choice(self.attackers)
        number = f"{self.chance.choice(self.paying)}:{self.chance.randrange(10**6):06}"
        try:
            started = await self.world.start(actor, number, network=self.chance.choice(self.networks))
        except (TooManyAttempts, PhoneUnavailable) as error:
            name = type(error).__name__
            self.refusals[name] = self.refusals.get(name, 0) + 1
            return
        self.spent_by_attacker += PRICE
        if self.chance.random() < self.conversion:
            await self.world.confirm(actor, started, self.world.gateway.last_code)

    @property
    async def spent(self) -> Decimal:
        return (await self.world.ledger.status(at=self.world.clock.now() - timedelta(seconds=1))).spent

    @property
    def success(self) -> float:
        return self.proven / self.people


def _with_ledger(world: PhoneWorld, ledger: MemorySendLedger) -> PhoneWorld:
    for use_case in (world.start_proof, world.confirm_phone):
        object.__setattr__(use_case, "ledger", ledger)
    return world


async def besieged(attacks: int, *, seed: int) -> dict[str, Any]:
    begun = time.perf_counter()
    failures = []
    plain = await Siege(attacks=attacks, seed=seed).run()
    if await plain.spent > plain.cap:
        failures.append(f"spent {await plain.spent} of {plain.cap}")
    if plain.success < 0.95:
        failures.append(f"only {plain.success:.1%} of the people got through")
    # An attacker who gives enough codes back to look like people is held by the cap alone.
    sly = await Siege(attacks=attacks, seed=seed + 1, conversion=0.4).run()
    if await sly.spent > sly.cap:
        failures.append(f"spent {await sly.spent} of {sly.cap} on codes that come back")
    return {
        "id": "G26",
        "n": 2 * attacks,
        "failures": failures,
        "seed": seed,
        "seconds": round(time.perf_counter() - begun, 1),
        "cap": str(plain.cap),
        "spent_by_attacker": str(plain.spent_by_attacker),
        "honest_success": round(plain.success, 4),
        "refusals": plain.refusals,
    }


async def test_pumping_spends_the_cap_at_most_and_people_get_through() -> None:
    result = await besieged(2_000, seed=26)
    assert result["failures"] == [], result


async def test_the_siege_notices_a_ledger_that_never_refuses() -> None:
    siege = await Siege(attacks=2_000, seed=26, ledger=GenerousLedger()).run()
    assert await siege.spent > siege.cap


async def test_the_siege_notices_that_nobody_watches_conversion() -> None:
    unwatched = Siege(attacks=2_000, seed=26)
    unwatched.limits = SpendLimits(daily_cap=unwatched.cap, daily_cap_per_block=Decimal(10**6), least_converted=Decimal(0))
    assert (await unwatched.run()).success < 0.95


@pytest.mark.campaign
@pytest.mark.timeout(600)
async def test_pumping_at_full_size() -> None:
    result = await besieged(100_000, seed=2026)
    print(json.dumps(result))
    assert result["failures"] == [], result
