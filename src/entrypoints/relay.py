"""The outbox relay: takes committed events to the reactions that wait for them, at least once and in order per key."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import structlog

from tradingcore.kernel.authz import Actor, Cause, EventId
from tradingcore.kernel.errors import AlreadyHandled, Unavailable
from tradingcore.kernel.ports import ClaimedEvent, Outbox
from tradingcore.processes.reaction import Reaction

LEASE: Final = timedelta(seconds=30)
POLL: Final = timedelta(seconds=1)
NEARLY_DONE_SECONDS: Final = 0.002
MOST_ATTEMPTS: Final = 8
FIRST_DELAY_SECONDS: Final = 0.2
LONGEST_DELAY_SECONDS: Final = 60.0

_log = structlog.get_logger("relay")


class Relay:
    """Runs until `stop`; what it holds when it is killed is delivered again after the lease.

    ``concurrency`` bounds how many events, each of another ordering key, are handled at a time.
    """

    def __init__(self, outbox: Outbox, reactions: Sequence[Reaction[Any]], *, concurrency: int = 16) -> None:
        self._outbox = outbox
        self._reactions: dict[str, list[Reaction[Any]]] = defaultdict(list)
        for reaction in reactions:
            self._reactions[reaction.reacts_to.type].append(reaction)
        self._concurrency = concurrency
        self._stopping = False
        self._progress = asyncio.Event()
        self._handled: list[ClaimedEvent] = []
        self._running: set[asyncio.Task[None]] = set()
        self._excused: Counter[EventId] = Counter()
        self.delivered = 0

    def stop(self) -> None:
        """Take no more; `run` returns when what is under way has ended."""
        self._stopping = True
        self._progress.set()

    async def run(self) -> None:
        """Deliver until stopped. A storage that is away is waited for."""
        try:
            while not self._stopping:
                try:
                    if not await self._step():
                        await self._sleep()
                except Unavailable as error:
                    _log.warning("outbox_unavailable", error=str(error))
                    await asyncio.sleep(POLL.total_seconds())
            await self._finish()
        finally:
            # Only after an error or a cancellation is something left. It must not go on without the relay that would settle it.
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def drain(self) -> int:
        """Deliver until nothing is due and return how many events that were: for tests, notebooks and one-shot commands."""
        before = self.delivered
        while await self._step() or self._running or self._handled:
            if self._running:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        return self.delivered - before

    async def _step(self) -> bool:
        """Settle what is done, claim what fits, start it. Says whether more may be due: what is not, becomes due with a signal."""
        self._progress.clear()
        free = self._concurrency - len(self._running)
        if free <= 0 or self._stopping:
            await self._settle()
            return False
        with self._settling() as handled:
            claimed = await self._outbox.claim(limit=free, lease=LEASE, settled=handled)
        for event in claimed:
            task = asyncio.create_task(self._deliver(event))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(claimed) == free

    async def _sleep(self) -> None:
        """Until something was committed or handled, or the poll is due."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._progress.wait())]
        if len(self._running) < self._concurrency:
            waits.append(asyncio.create_task(self._outbox.wait(POLL)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        for wait in done:
            wait.result()
        if self._running and not self._progress.is_set():
            # Most signals are those of our own handlers, which are about to end: one claim settles them and takes what they wrote.
            with suppress(TimeoutError):
                async with asyncio.timeout(NEARLY_DONE_SECONDS):
                    await self._progress.wait()

    async def _finish(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        try:
            await self._settle()
        except Unavailable as error:
            # Handled and not crossed off: delivered once more after the lease, and known by then.
            _log.warning("outbox_unavailable", error=str(error))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._progress.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Not even giving it back worked: the lease runs out and the event is delivered again.
            _log.warning("delivery_broke_off", error=f"{type(error).__name__}: {error}")

    async def _settle(self) -> None:
        if self._handled:
            with self._settling() as handled:
                await self._outbox.settle(handled)

    @contextmanager
    def _settling(self) -> Iterator[Sequence[ClaimedEvent]]:
        handled, self._handled = self._handled, []
        try:
            yield handled
        except Unavailable:
            self._handled[:0] = handled
            raise

    async def _deliver(self, claimed: ClaimedEvent) -> None:
        recorded = claimed.recorded
        reactions = self._reactions.get(recorded.event.type, [])
        if len(reactions) == 1:
            outcomes = [await self._react(reactions[0], claimed)]  # most events have one: no task for it
        else:
            outcomes = await asyncio.gather(*(self._react(reaction, claimed) for reaction in reactions))
        for failure in outcomes:
            if failure is not None:
                await self._put_back(claimed, failure)
                return
        self.delivered += 1
        self._handled.append(claimed)
        self._excused.pop(recorded.id, None)

    async def _react(self, reaction: Reaction[Any], claimed: ClaimedEvent) -> Exception | None:
        """What went wrong."""
        recorded = claimed.recorded
        cause = Cause(reaction.name, recorded.id)
        actor = Actor.system(recorded.trace_id, name=reaction.name, cause=cause)
        try:
            await reaction.react(actor, recorded.event, recorded)
        except AlreadyHandled:
            _log.debug("event_already_handled", handler=reaction.name, event_id=str(recorded.id))
        except Exception as error:  # noqa: BLE001 - told apart and logged where the event is put back
            return error
        return None

    async def _put_back(self, claimed: ClaimedEvent, failure: Exception) -> None:
        recorded = claimed.recorded
        error = f"{type(failure).__name__}: {failure}"
        if isinstance(failure, Unavailable):
            # An outage is nobody's fault: what it cost in attempts does not count towards parking.
            self._excused[recorded.id] += 1
        facts = {"event_id": str(recorded.id), "event_type": recorded.event.type, "trace_id": recorded.trace_id, "error": error}
        if claimed.attempt - self._excused[recorded.id] >= MOST_ATTEMPTS:
            _log.error("event_parked", attempts=claimed.attempt, **facts)
            del self._excused[recorded.id]
            await self._outbox.park(claimed, error=error)
            return
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(claimed.attempt, 16))
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        _log.warning("event_delayed", attempts=claimed.attempt, delay_seconds=round(delay, 3), **facts)
        await self._outbox.retry(claimed, delay=timedelta(seconds=delay), error=error)
