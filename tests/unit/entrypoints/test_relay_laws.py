"""Whatever fails and whoever is killed: each effect happens exactly once and in order."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.entrypoints.relaying import LONG_ENOUGH, Relaying, open_gate
from tradingcore.kernel.errors import Conflict, Unavailable

ROUNDS_OF_TROUBLE = 6
"""Fewer than the attempts after which an event would be parked and its order be lost on purpose."""


async def trouble(world: Relaying, chance: Random, *, relays: int) -> None:
    """Relays run side by side over handlers that fail now and then, and are killed at some await."""

    async def gate(place: str) -> None:
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if chance.random() < 0.15:
            raise chance.choice([ValueError("odd"), Conflict("somebody was faster"), Unavailable("away"), OSError("broken")])

    world.ledger.gate = world.second.gate = gate
    running = [asyncio.create_task(world.relay().run()) for _ in range(relays)]
    for task in running:
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), relays=st.integers(1, 3))
async def test_failures_and_kills_leave_each_effect_exactly_once(seed: int, relays: int) -> None:
    chance = Random(seed)
    world = await Relaying(series=3, events=4).filled()
    for _ in range(chance.randrange(1, ROUNDS_OF_TROUBLE + 1)):
        await trouble(world, chance, relays=relays)
        world.clock.advance(LONG_ENOUGH)
    world.ledger.gate = world.second.gate = open_gate
    while (await world.outbox.status()).open:
        await world.relay().drain()
        world.clock.advance(LONG_ENOUGH)
    assert world.written() == world.everything_once_in_order
    assert (await world.outbox.status()).parked == 0
