"""The contract of the relay's side of the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tradingcore.kernel.authz import EventId
from tradingcore.kernel.errors import AlreadyHandled
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.ports import ClaimedEvent, DeadLetters, Inbox, Outbox, UnitOfWorkFactory
from tradingcore.testing.builders import MONDAY, a_candle, a_cause, a_closed_candle, a_live_series, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME
from tradingcore.trading.events import CandleClosed
from tradingcore.trading.ports import TradingUnitOfWork

LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=60)


def _key(name: str) -> SeriesKey:
    return SeriesKey(SymbolCode(name), Timeframe.H1)


def _what(claimed: Sequence[ClaimedEvent]) -> list[tuple[str, float]]:
    """(symbol, close) of each event."""
    events = [one.recorded.event for one in claimed]
    return [(event.symbol, event.candle.close) for event in events if isinstance(event, CandleClosed)]


@pytest.mark.asyncio
class OutboxContract:
    """Fixtures: ``outbox``, ``dead_letters`` (often the same object) and ``units``, on one empty store.

    Override `elapse` where time is not the machine's own.
    """

    @pytest.fixture
    def outbox(self) -> Outbox:
        raise NotImplementedError("supply the outbox under test")

    @pytest.fixture
    def dead_letters(self) -> DeadLetters:
        raise NotImplementedError("supply the reader of dead letters")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[TradingUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same database")

    async def elapse(self, time: timedelta) -> None:
        """Let ``time`` pass for leases and delays."""
        await asyncio.sleep(time.total_seconds())

    @pytest.fixture
    def close(self, units: UnitOfWorkFactory[TradingUnitOfWork]) -> Closer:
        return Closer(units)

    async def test_event_is_delivered_as_it_was_announced(
        self, outbox: Outbox, units: UnitOfWorkFactory[TradingUnitOfWork]
    ) -> None:
        actor = an_actor()
        announced = a_closed_candle(_key("A"), candle=a_candle(close=0.1 + 0.2 + 5))
        async with units(actor) as unit:
            await unit.live_series.save(announced)
        (claimed,) = await outbox.claim(limit=10, lease=LEASE)
        assert (claimed.recorded.event,) == announced.pending_events
        assert (claimed.recorded.trace_id, claimed.attempt) == (actor.trace_id, 1)

    async def test_only_the_oldest_event_of_a_key_is_lent(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1, 2)
        await close("B", 3)
        first = await outbox.claim(limit=10, lease=LEASE)
        assert _what(first) == [("A", 1), ("B", 3)]
        assert not await outbox.claim(limit=10, lease=LEASE)
        await outbox.settle(first[:1])
        second = await outbox.claim(limit=10, lease=LEASE)
        assert _what(second) == [("A", 2)]
        await outbox.settle([*first[1:], *second])
        assert not await outbox.claim(limit=10, lease=LEASE)
        assert (await outbox.status()).open == 0

    async def test_claim_settles_first(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1, 2)
        first = await outbox.claim(limit=10, lease=LEASE)
        second = await outbox.claim(limit=10, lease=LEASE, settled=first)
        assert _what(second) == [("A", 2)]
        assert not await outbox.claim(limit=10, lease=LEASE, settled=second)
        assert (await outbox.status()).open == 0

    async def test_claim_settles_nothing_whose_lease_was_lost(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1, 2)
        old = await outbox.claim(limit=10, lease=SHORT)
        await self.elapse(2 * SHORT)
        assert _what(await outbox.claim(limit=10, lease=LEASE)) == [("A", 1)]
        assert not await outbox.claim(limit=10, lease=LEASE, settled=old)

    async def test_order_of_a_key_holds_across_units(self, outbox: Outbox, close: Closer) -> None:
        for number in range(5):
            await close("A", number + 1)
        seen = []
        while claimed := await outbox.claim(limit=10, lease=LEASE):
            seen += _what(claimed)
            await outbox.settle(claimed)
        assert seen == [("A", number + 1) for number in range(5)]

    async def test_oldest_come_first_up_to_the_limit(self, outbox: Outbox, close: Closer) -> None:
        for name in ("C", "A", "B"):
            await close(name, 1)
        assert [symbol for symbol, _ in _what(await outbox.claim(limit=2, lease=LEASE))] == ["C", "A"]
        assert [symbol for symbol, _ in _what(await outbox.claim(limit=2, lease=LEASE))] == ["B"]

    async def test_of_concurrent_relays_one_gets_an_event(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1)
        await close("B", 1)
        lent = await asyncio.gather(*(outbox.claim(limit=10, lease=LEASE) for _ in range(AT_A_TIME)))
        assert sorted(symbol for claimed in lent for symbol, _ in _what(claimed)) == ["A", "B"]

    async def test_lease_that_ran_out_is_lent_again_and_fences_the_old_one(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1)
        old = await outbox.claim(limit=10, lease=SHORT)
        await self.elapse(2 * SHORT)
        new = await outbox.claim(limit=10, lease=LEASE)
        assert [one.recorded for one in new] == [one.recorded for one in old]
        assert (new[0].attempt, new[0].token > old[0].token) == (2, True)
        await outbox.settle(old)
        await outbox.retry(old[0], delay=timedelta(0), error="too late")
        await outbox.park(old[0], error="too late")
        status = await outbox.status()
        assert (status.open, status.parked) == (1, 0)
        assert not await outbox.claim(limit=10, lease=LEASE)
        await outbox.settle(new)
        assert (await outbox.status()).open == 0

    async def test_retry_waits_and_holds_back_its_key(self, outbox: Outbox, close: Closer) -> None:
        await close("A", 1, 2)
        (claimed,) = await outbox.claim(limit=10, lease=LEASE)
        await outbox.retry(claimed, delay=SHORT, error="the model is not there yet")
        assert not await outbox.claim(limit=10, lease=LEASE)
        await self.elapse(2 * SHORT)
        (again,) = await outbox.claim(limit=10, lease=LEASE)
        assert (again.recorded, again.attempt) == (claimed.recorded, 2)

    async def test_parked_event_lets_later_ones_pass_and_can_be_replayed(
        self, outbox: Outbox, dead_letters: DeadLetters, close: Closer
    ) -> None:
        await close("A", 1, 2)
        (bad,) = await outbox.claim(limit=10, lease=LEASE)
        await outbox.park(bad, error="ValueError: no")
        later = await outbox.claim(limit=10, lease=LEASE)
        assert _what(later) == [("A", 2)]
        await outbox.settle(later)
        (parked,) = await dead_letters.list_parked(limit=10)
        event = bad.recorded.event
        assert (parked.id, parked.type, parked.ordering_key) == (bad.recorded.id, event.type, event.ordering_key)
        assert (parked.attempts, parked.error) == (1, "ValueError: no")
        assert (await outbox.status()).parked == 1

        assert await outbox.replay([EventId(an_id())]) == 0
        assert await outbox.replay([parked.id]) == 1
        assert not await dead_letters.list_parked(limit=10)
        (again,) = await outbox.claim(limit=10, lease=LEASE)
        assert (again.recorded, again.attempt) == (bad.recorded, 1)

    async def test_replay_takes_all_dead_letters_when_none_is_named(
        self, outbox: Outbox, dead_letters: DeadLetters, close: Closer
    ) -> None:
        for name in ("A", "B", "C"):
            await close(name, 1)
        for claimed in await outbox.claim(limit=10, lease=LEASE):
            await outbox.park(claimed, error="broken")
        assert len(await dead_letters.list_parked(limit=2)) == 2
        assert await outbox.replay() == 3
        assert len(await outbox.claim(limit=10, lease=LEASE)) == 3
        assert await outbox.replay() == 0

    async def test_status_tells_how_far_the_relay_is(self, outbox: Outbox, close: Closer) -> None:
        before = await outbox.status()
        assert (before.open, before.parked, before.oldest_age) == (0, 0, None)
        await close("A", 1, 2)
        await self.elapse(SHORT)
        status = await outbox.status()
        assert status.open == 2
        assert status.oldest_age is not None
        assert SHORT <= status.oldest_age < timedelta(minutes=5)

    async def test_wait_ends_when_something_is_committed(self, outbox: Outbox, close: Closer) -> None:
        async with asyncio.timeout(20):
            waiting = asyncio.create_task(outbox.wait(timedelta(seconds=60)))
            await asyncio.sleep(0.05)
            await close("A", 1)
            await waiting

    async def test_commit_before_the_wait_is_not_slept_through(self, outbox: Outbox, close: Closer) -> None:
        await outbox.wait(timedelta(milliseconds=1))
        await close("A", 1)
        async with asyncio.timeout(20):
            await outbox.wait(timedelta(seconds=60))

    async def test_wait_ends_in_time_when_nothing_happens(self, outbox: Outbox) -> None:
        async with asyncio.timeout(20):
            await outbox.wait(timedelta(milliseconds=10))
            await outbox.wait(timedelta(milliseconds=10))


class Closer:
    """Closes candles: ``await close("A", 1, 2)`` announces two events of one key in one unit."""

    def __init__(self, units: UnitOfWorkFactory[TradingUnitOfWork]) -> None:
        self._units = units

    async def __call__(self, name: str, *closes: float) -> None:
        async with self._units(an_actor()) as unit:
            series = await unit.live_series.find(_key(name)) or a_live_series(_key(name))
            for close in closes:
                candle = a_candle(close=close, open=close, high=close, low=close)
                series = series.closed(candle, source="test", received_at=MONDAY, missing_candles=0)
            await unit.live_series.save(series)


@pytest.mark.asyncio
class InboxContract:
    """Fixtures: ``inbox`` and ``units``, on one empty store. Override `elapse` where time is not the machine's own."""

    @pytest.fixture
    def inbox(self) -> Inbox:
        raise NotImplementedError("supply the inbox under test")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[TradingUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same database")

    async def elapse(self, time: timedelta) -> None:
        """Let ``time`` pass."""
        await asyncio.sleep(time.total_seconds())

    async def test_only_what_was_recorded_long_ago_is_forgotten(
        self, inbox: Inbox, units: UnitOfWorkFactory[TradingUnitOfWork]
    ) -> None:
        actor = an_actor(cause=a_cause())
        async with units(actor):
            pass
        await self.elapse(SHORT)
        assert await inbox.forget_handled(older_than=timedelta(days=1)) == 0
        with pytest.raises(AlreadyHandled):
            async with units(actor):
                pass
        assert await inbox.forget_handled(older_than=timedelta(0)) == 1
        async with units(actor):
            pass
