"""At least once, in order per key, with an effect exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.memory.outbox import MemoryOutbox
from entrypoints.relay import LEASE, MOST_ATTEMPTS, Relay
from tests.unit.entrypoints.relaying import LONG_ENOUGH, Gate, Ledger, Relaying
from tradingcore.kernel.errors import AlreadyHandled, Conflict, Unavailable
from tradingcore.kernel.ports import ClaimedEvent


def failing(error: Exception, *, at: str = "before", times: int = 1_000_000) -> Gate:
    left = times

    async def gate(place: str) -> None:
        nonlocal left
        await asyncio.sleep(0)
        if place == at and left > 0:
            left -= 1
            raise error

    return gate


async def emptied(outbox: MemoryOutbox) -> None:
    while (await outbox.status()).open:  # noqa: ASYNC110 - the outbox tells nobody that it is empty
        await asyncio.sleep(0)


async def test_every_event_is_delivered_once_and_taken_off_the_list() -> None:
    world = await Relaying(series=3).filled()
    assert await world.relay().drain() == 9
    assert world.written() == world.everything_once_in_order
    assert (await world.outbox.status()).open == 0
    assert await world.relay().drain() == 0


async def test_order_is_kept_per_key_while_keys_run_side_by_side() -> None:
    world = await Relaying(series=5, events=12).filled()
    turns = iter(range(1_000_000))

    async def uneven(place: str) -> None:
        for _ in range(next(turns) * 7 % 5):
            await asyncio.sleep(0)

    world.ledger.gate = world.second.gate = uneven
    await world.relay().drain()
    assert world.written() == world.everything_once_in_order
    assert world.ledger.most_at_once == 5


async def test_concurrency_is_bounded() -> None:
    world = await Relaying(series=8).filled()
    await world.relay(world.ledger, concurrency=3).drain()
    assert world.ledger.most_at_once == 3


@pytest.mark.parametrize("place", ["before", "inside", "after"])
async def test_handler_that_breaks_off_anywhere_has_its_effect_once(place: str) -> None:
    world = await Relaying().filled()
    world.ledger.gate = failing(ConnectionResetError("gone"), at=place, times=1)
    relay = world.relay()
    await relay.drain()
    assert (await world.outbox.status()).open == 3
    world.clock.advance(LONG_ENOUGH)
    await relay.drain()
    assert world.written() == world.everything_once_in_order


@pytest.mark.parametrize("place", ["before", "inside", "after"])
async def test_relay_that_is_killed_anywhere_leaves_the_rest_to_the_next(place: str) -> None:
    world = await Relaying(series=2).filled()
    reached = asyncio.Event()

    async def hang(where: str) -> None:
        if where == place:
            reached.set()
            await asyncio.Event().wait()

    world.ledger.gate = hang
    running = asyncio.create_task(world.relay().run())
    await reached.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.ledger.under_way == []
    world.ledger.gate = failing(ValueError(), times=0)
    assert await world.relay().drain() == 0  # still on loan
    world.clock.advance(LEASE)
    await world.relay().drain()
    assert world.written() == world.everything_once_in_order


async def test_event_that_was_handled_before_counts_as_done() -> None:
    world = await Relaying().filled()
    world.ledger.gate = failing(AlreadyHandled("known"))
    assert await world.relay().drain() == 3
    assert (await world.outbox.status()).open == 0


async def test_event_that_nobody_waits_for_is_taken_off() -> None:
    world = await Relaying().filled()
    assert await Relay(world.outbox, ()).drain() == 3
    assert (await world.outbox.status()).open == 0


class Recording(MemoryOutbox):
    """Remembers delays; loses the storage when told to."""

    def __init__(self, world: Relaying) -> None:
        super().__init__(world.database)
        self.delays: list[timedelta] = []
        self.settlements_to_lose = 0

    async def retry(self, claimed: ClaimedEvent, *, delay: timedelta, error: str) -> None:
        self.delays.append(delay)
        await super().retry(claimed, delay=delay, error=error)

    async def settle(self, claimed: Sequence[ClaimedEvent]) -> None:
        if self.settlements_to_lose:
            self.settlements_to_lose -= 1
            raise Unavailable("the database is away")
        await super().settle(claimed)


async def attempts(world: Relaying, outbox: MemoryOutbox, count: int) -> None:
    relay = world.relay(world.ledger, outbox=outbox)
    for _ in range(count):
        await relay.drain()
        world.clock.advance(LONG_ENOUGH)


async def test_poison_is_tried_eight_times_with_growing_delays_and_then_parked() -> None:
    world = await Relaying(events=2).filled()
    world.ledger.gate = failing(ZeroDivisionError("division by zero"), times=MOST_ATTEMPTS)
    outbox = Recording(world)
    await attempts(world, outbox, MOST_ATTEMPTS - 1)
    assert (await outbox.status()).parked == 0
    await attempts(world, outbox, 1)
    (parked,) = await outbox.list_parked(limit=10)
    assert (parked.attempts, parked.error) == (MOST_ATTEMPTS, "ZeroDivisionError: division by zero")
    for attempt, delay in enumerate(outbox.delays, 1):
        assert 0.5 * 0.2 * 2**attempt <= delay.total_seconds() <= 0.2 * 2**attempt
    assert len(outbox.delays) == MOST_ATTEMPTS - 1
    # What follows in its series goes on; replayed, the dead letter is delivered at last.
    assert {row.base for row in world.database.symbols.rows.values()} == {"1 ", ""}
    await outbox.replay()
    await attempts(world, outbox, 1)
    assert {row.base for row in world.database.symbols.rows.values()} == {"1 0 ", ""}


async def test_outage_never_parks_and_is_asked_about_once_a_minute_at_last() -> None:
    world = await Relaying(events=1).filled()
    world.ledger.gate = failing(Unavailable("the database is away"), times=20)
    outbox = Recording(world)
    relay = world.relay(world.ledger, outbox=outbox)
    for _ in range(20):
        await relay.drain()
        world.clock.advance(LONG_ENOUGH)
    assert ((await outbox.status()).open, (await outbox.status()).parked) == (1, 0)
    assert timedelta(seconds=30) <= outbox.delays[-1] <= timedelta(seconds=60)
    # Nor does it use up the attempts of a failure that comes after it.
    world.ledger.gate = failing(Conflict("somebody was faster"), times=MOST_ATTEMPTS - 1)
    for _ in range(MOST_ATTEMPTS):
        await relay.drain()
        world.clock.advance(LONG_ENOUGH)
    assert ((await outbox.status()).open, (await outbox.status()).parked) == (0, 0)
    assert world.written() == {"0 ", ""}


async def test_one_of_two_handlers_fails_and_the_other_is_not_repeated() -> None:
    world = await Relaying().filled()
    world.ledger.gate = failing(ValueError("odd"), at="inside", times=2)
    relay = world.relay()
    for _ in range(4):
        await relay.drain()
        world.clock.advance(LONG_ENOUGH)
    assert world.written() == world.everything_once_in_order


async def test_stopping_finishes_what_runs_and_takes_no_more() -> None:
    world = await Relaying(series=2, events=2).filled()
    at_the_gate, gate = asyncio.Event(), asyncio.Event()

    async def held(place: str) -> None:
        at_the_gate.set()
        await gate.wait()

    world.ledger.gate = held
    relay = world.relay(world.ledger)
    running = asyncio.create_task(relay.run())
    await at_the_gate.wait()
    relay.stop()
    await asyncio.sleep(0)
    assert not running.done()
    gate.set()
    await running
    assert relay.delivered == 2
    assert (await world.outbox.status()).open == 2


async def test_what_is_committed_later_is_delivered_without_waiting_for_the_poll() -> None:
    world = Relaying(series=4)
    relay = world.relay()
    running = asyncio.create_task(relay.run())
    await asyncio.sleep(0)
    await world.filled()
    async with asyncio.timeout(0.9):
        await emptied(world.outbox)
    relay.stop()
    await running
    assert world.written() == world.everything_once_in_order


async def test_settlement_that_is_lost_is_made_up_for_when_the_storage_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoints.relay.POLL", timedelta(milliseconds=1))
    world = await Relaying().filled()
    outbox = Recording(world)
    outbox.settlements_to_lose = 3
    ledger = Ledger(units=world.units)
    relay = world.relay(ledger, outbox=outbox)
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(5):
        await emptied(outbox)
    relay.stop()
    await running
    assert relay.delivered == 3


async def test_storage_that_is_away_at_the_end_does_not_keep_the_relay() -> None:
    world = await Relaying(events=1).filled()
    outbox = Recording(world)
    relay = world.relay(outbox=outbox)
    await relay._step()
    outbox.settlements_to_lose = 1
    relay.stop()
    await relay.run()
    assert (await world.outbox.status()).open == 1
    world.clock.advance(LEASE)
    await world.relay().drain()
    assert world.written() == world.everything_once_in_order
