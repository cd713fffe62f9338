"""Figures that no request brings: of the streams of this process, and of the outbox that the relay works off."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from prometheus_client import Gauge

from entrypoints.http.metrics import Metrics
from entrypoints.http.stream.hub import Hub
from tradingcore.kernel.errors import TradingCoreError
from tradingcore.kernel.ports import Outbox

SAMPLE_SECONDS: Final = 10.0

_STREAM: Final = {
    "is_degraded": "1 while the stream log is away",
    "connections": "open streams, both kinds",
    "topics": "topics that somebody follows",
    "waiting_messages": "messages that wait to be sent",
    "waiting_bytes": "bytes that wait to be sent",
    "lost_log": "how often the stream log went away",
    "slow_clients": "how many streams were closed because they read too slowly",
}


def watch_stream(metrics: Metrics, hub: Hub) -> None:
    """Add the status of ``hub``, read whenever somebody scrapes."""

    def read(name: str) -> Callable[[], float]:
        return lambda: float(getattr(hub.status(), name))

    for name, text in _STREAM.items():
        Gauge(f"tradingcore_stream_{name}", text, registry=metrics.registry).set_function(read(name))


def watch_limits(metrics: Metrics, **limiters: Callable[[], object]) -> None:
    """Add whether limits are counted by the stand-in, which somebody should look at, since then they are looser."""
    gauge = Gauge(
        "tradingcore_limits_is_degraded", "1 while processes cannot count together", ("limiter",), registry=metrics.registry
    )

    def read(limiter: Callable[[], object]) -> Callable[[], float]:
        return lambda: float(getattr(limiter(), "is_degraded", False))

    for name, limiter in limiters.items():
        gauge.labels(name).set_function(read(limiter))


class OutboxGauges:
    """How far the relay is, sampled: a scrape, which anybody may ask for, costs the database nothing."""

    def __init__(self, metrics: Metrics, outbox: Callable[[], Outbox], *, every_seconds: float = SAMPLE_SECONDS) -> None:
        self._outbox = outbox
        self._every_seconds = every_seconds
        self._open = Gauge("tradingcore_outbox_open", "events that wait for the relay", registry=metrics.registry)
        self._parked = Gauge("tradingcore_outbox_parked", "dead letters", registry=metrics.registry)
        self._lag = Gauge("tradingcore_outbox_lag_seconds", "age of the oldest event that waits", registry=metrics.registry)

    async def sample(self) -> None:
        """Read once; figures that cannot be had are not a number."""
        try:
            status = await self._outbox().status()
        except TradingCoreError:
            for gauge in (self._open, self._parked, self._lag):
                gauge.set(math.nan)
        else:
            self._open.set(status.open)
            self._parked.set(status.parked)
            self._lag.set(status.oldest_age.total_seconds() if status.oldest_age else 0.0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sample for as long as the context lasts."""
        sampler = asyncio.create_task(self._sample_forever())
        try:
            yield
        finally:
            sampler.cancel()
            with suppress(asyncio.CancelledError):
                await sampler

    async def _sample_forever(self) -> None:
        while True:
            await self.sample()
            await asyncio.sleep(self._every_seconds)
