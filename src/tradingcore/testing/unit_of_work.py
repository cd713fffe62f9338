"""What every unit of work promises, whatever its context."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import AlreadyHandled, StaleVersion, WriteWhileReading
from tradingcore.kernel.ports import Outbox, UnitOfWorkFactory
from tradingcore.testing.builders import a_cause, an_actor

U = TypeVar("U")

AT_A_TIME = 16
LEASE = timedelta(seconds=30)


class Abandoned(Exception):
    """What a test raises to leave a unit of work without a commit."""


async def outcomes(*attempts: Awaitable[Any]) -> tuple[int, list[BaseException]]:
    """Run all at once; return how many came through, and the errors of the others."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    return len(results) - len(errors), errors


@pytest.mark.asyncio
class UnitOfWorkContract(Generic[U]):
    """Fixtures: ``units`` (the factory) and ``outbox``, both on one empty store. Suites of a context fill in the four hooks."""

    announces: ClassVar[bool] = True
    """Whether `write` announces exactly one event."""

    @abstractmethod
    async def write(self, unit: U, number: int) -> None:
        """Save a fresh thing; things of different numbers do not get in each other's way."""

    @abstractmethod
    async def written(self, unit: U) -> int:
        """Count what `write` has stored, as the unit sees it; numbers are below 32."""

    @abstractmethod
    async def read(self, unit: U, number: int) -> Any:
        """Return the aggregate that `write` saved."""

    @abstractmethod
    async def save(self, unit: U, aggregate: Any) -> Any:
        """Save it again and return what the repository returns."""

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[U]:
        raise NotImplementedError("supply the factory under test")

    @pytest.fixture
    def outbox(self) -> Outbox:
        raise NotImplementedError("supply the outbox of the same store")

    async def _abandon(self, units: UnitOfWorkFactory[U], actor: Actor) -> None:
        async with units(actor) as unit:
            await self.write(unit, 0)
            await self.write(unit, 1)
            raise Abandoned

    async def test_clean_exit_commits(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 1

    async def test_exception_rolls_everything_back(self, units: UnitOfWorkFactory[U], outbox: Outbox) -> None:
        with pytest.raises(Abandoned):
            await self._abandon(units, an_actor())
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 0
        assert not await outbox.claim(limit=10, lease=LEASE)

    async def test_reading_caller_reads_and_writes_nothing(self, units: UnitOfWorkFactory[U], outbox: Outbox) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
        reader = replace(an_actor(), is_reading=True)
        async with units(reader) as unit:
            assert await self.written(unit) == 1
        with pytest.raises(WriteWhileReading):
            async with units(reader) as unit:
                await self.write(unit, 1)
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 1
        assert len(await outbox.claim(limit=10, lease=LEASE)) == self.announces

    async def test_unit_reads_its_own_writes(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
            assert await self.written(unit) == 1

    async def test_uncommitted_changes_are_invisible_to_others(self, units: UnitOfWorkFactory[U], outbox: Outbox) -> None:
        async with units(an_actor()) as writer:
            await self.write(writer, 0)
            async with units(an_actor()) as reader:
                assert await self.written(reader) == 0
            assert not await outbox.claim(limit=10, lease=LEASE)

    async def test_save_returns_next_version_with_nothing_pending(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
        async with units(an_actor()) as unit:
            before = await self.read(unit, 0)
            after = await self.save(unit, before)
            assert (before.version, after.version, after.pending_events) == (1, 2, ())
        async with units(an_actor()) as unit:
            assert await self.read(unit, 0) == after

    async def test_one_unit_can_save_the_same_thing_twice(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
            again = await self.save(unit, await self.read(unit, 0))
            await self.save(unit, again)
        async with units(an_actor()) as unit:
            assert (await self.read(unit, 0)).version == 3

    async def test_stale_version_is_refused(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
            old = await self.read(unit, 0)
        async with units(an_actor()) as unit:
            await self.save(unit, old)
        with pytest.raises(StaleVersion):
            async with units(an_actor()) as unit:
                await self.save(unit, old)
        async with units(an_actor()) as unit:
            assert (await self.read(unit, 0)).version == 2

    async def test_of_concurrent_saves_one_wins(self, units: UnitOfWorkFactory[U]) -> None:
        async with units(an_actor()) as unit:
            await self.write(unit, 0)
            read = await self.read(unit, 0)

        async def save() -> None:
            async with units(an_actor()) as unit:
                await self.save(unit, read)
                await asyncio.sleep(0)

        won, errors = await outcomes(*(save() for _ in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {StaleVersion})

    async def test_events_appear_exactly_on_commit_in_order(self, units: UnitOfWorkFactory[U], outbox: Outbox) -> None:
        actor = an_actor()
        async with units(actor) as unit:
            for number in range(3):
                await self.write(unit, number)
        claimed = await outbox.claim(limit=10, lease=LEASE)
        assert len(claimed) == (3 if self.announces else 0)
        assert all(one.recorded.trace_id == actor.trace_id for one in claimed)
        assert len({one.recorded.id for one in claimed}) == len(claimed)
        async with units(an_actor()) as unit:
            await self.save(unit, await self.read(unit, 0))
        assert not await outbox.claim(limit=10, lease=LEASE)

    async def test_cause_is_handled_once(self, units: UnitOfWorkFactory[U]) -> None:
        cause = a_cause()
        async with units(an_actor(cause=cause)) as unit:
            await self.write(unit, 0)
        with pytest.raises(AlreadyHandled):
            async with units(an_actor(cause=cause)) as unit:
                await self.write(unit, 1)
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 1

    async def test_handlers_of_one_event_do_not_block_each_other(self, units: UnitOfWorkFactory[U]) -> None:
        cause = a_cause("test.first")
        async with units(an_actor(cause=cause)) as unit:
            await self.write(unit, 0)
        async with units(an_actor(cause=type(cause)("test.second", cause.event_id))) as unit:
            await self.write(unit, 1)
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 2

    async def test_cause_of_a_rolled_back_unit_can_be_tried_again(self, units: UnitOfWorkFactory[U]) -> None:
        actor = an_actor(cause=a_cause())
        with pytest.raises(Abandoned):
            await self._abandon(units, actor)
        async with units(actor) as unit:
            await self.write(unit, 0)
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 1

    async def test_of_concurrent_handlings_of_one_cause_one_wins(self, units: UnitOfWorkFactory[U]) -> None:
        cause = a_cause()

        async def handle(number: int) -> None:
            async with units(an_actor(cause=cause)) as unit:
                await asyncio.sleep(0)
                await self.write(unit, number)

        won, errors = await outcomes(*(handle(number) for number in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {AlreadyHandled})
        async with units(an_actor()) as unit:
            assert await self.written(unit) == 1
