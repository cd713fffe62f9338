"""The worker process: relay, feed and schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from entrypoints.container import Container
from entrypoints.relay import Relay
from tradingcore.auth.use_cases.forget_mailed_tokens import ForgetMailedTokensCommand
from tradingcore.auth.use_cases.forget_provider_flows import ForgetProviderFlowsCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import StaleVersion, TradingCoreError, Unavailable
from tradingcore.kernel.market import SeriesKey
from tradingcore.trading.ports import FeedCandle, MarketDataFeed
from tradingcore.trading.use_cases.close_candle import CloseCandleCommand
from tradingcore.trading.use_cases.watch_freshness import WatchFreshnessCommand

TRIM_EVERY: Final = timedelta(minutes=1)
WATCH_EVERY: Final = timedelta(seconds=15)
REMEMBER_HANDLED: Final = timedelta(days=30)
"""Far longer than an event is on its way; dead letters that are replayed later may have an effect a second time."""

REMEMBER_RIGHTS: Final = timedelta(hours=1)
REMEMBER_SESSIONS: Final = timedelta(days=90)
"""After their end: so long a device is known when it comes back."""

RETRY_AFTER_SECONDS: Final = 1.0

_log = structlog.get_logger("worker")


class Worker:
    """Runs until `stop` is called. ``watched`` are the series whose feed lives in the present."""

    def __init__(self, container: Container, *, concurrency: int = 16, watched: Sequence[SeriesKey] = ()) -> None:
        self._container = container
        self._watched = watched
        self.relay = Relay(container.outbox(), container.reactions(), concurrency=concurrency)

    def stop(self) -> None:
        self.relay.stop()

    async def prepare(self) -> None:
        """Compile the kernels and load the approved models of the series that are followed, so that no candle waits for them."""
        await asyncio.to_thread(self._container.features().warm_up)
        for series in await self._container.trading_queries().list_live_series():
            try:
                await self._container.models().champions(series.key)
            except TradingCoreError as error:
                # Every candle of the series will say so; the others go on.
                _log.warning("model_not_loaded", series=str(series.key), error=str(error))

    async def run(self) -> None:
        """Relay events and keep house until stopped; what is under way is finished."""
        schedules = [
            asyncio.create_task(self._every(TRIM_EVERY, self._trim)),
            asyncio.create_task(self._every(WATCH_EVERY, self._watch)),
        ]
        try:
            await self.relay.run()
        finally:
            for schedule in schedules:
                schedule.cancel()
            await asyncio.gather(*schedules, return_exceptions=True)

    async def _every(self, period: timedelta, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period.total_seconds())
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - a schedule outlives whatever goes wrong in one of its runs
                _log.warning("schedule_failed", error=f"{type(error).__name__}: {error}")

    async def _trim(self) -> None:
        await self._container.stream_log().trim()
        await self._container.outbox().forget_handled(older_than=REMEMBER_HANDLED)
        await self._container.rights_feed().forget(older_than=REMEMBER_RIGHTS)
        await self._container.session_archive().forget(before=self._container.clock().now() - REMEMBER_SESSIONS)
        actor = Actor.system(self._container.ids().new_trace_id(), name="worker")
        await self._container.forget_provider_flows()(actor, ForgetProviderFlowsCommand())
        await self._container.forget_mailed_tokens()(actor, ForgetMailedTokensCommand())

    async def _watch(self) -> None:
        if self._watched:
            actor = Actor.system(self._container.ids().new_trace_id(), name="worker")
            await self._container.watch_freshness()(actor, WatchFreshnessCommand(keys=self._watched))


async def feed_candles(container: Container, feed: MarketDataFeed) -> int:
    """Close every candle of a feed and return how many went into the flow; one that cannot be stored now is tried again."""
    taken = 0
    async for arrival in feed.closed_candles():
        taken += await close_candle(container, feed, arrival)
    return taken


async def close_candle(container: Container, feed: MarketDataFeed, arrival: FeedCandle) -> int:
    """Close one candle, waiting for a storage that is away. A candle that conflicts with a stored one is logged and left out."""
    actor = Actor.system(container.ids().new_trace_id(), name="feed")
    while True:
        try:
            result = await container.close_candle()(actor, CloseCandleCommand(arrival=arrival, feed=feed))
        except (Unavailable, StaleVersion) as error:
            _log.warning("candle_delayed", series=str(arrival.key), error=str(error), trace_id=actor.trace_id)
            await asyncio.sleep(RETRY_AFTER_SECONDS)
        except TradingCoreError as error:
            _log.error("candle_refused", series=str(arrival.key), error=str(error), trace_id=actor.trace_id)
            return 0
        else:
            return result.taken
