"""The wired platform on memory storage, with quick features and a model that sees an edge on every candle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.memory.database import MemoryDatabase
from entrypoints.container import Container
from entrypoints.relay import Relay
from tests.unit.core.stand_ins import HopefulLoader, SumFeatures, crowned
from tests.unit.core.trading.world import FilledFeed
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.market import Candle
from tradingcore.kernel.page import PageRequest
from tradingcore.ml.model.forecast import Forecast
from tradingcore.notifications.model.stream import StreamEntry, StreamPosition, Topic
from tradingcore.testing.builders import BTC_1H, HOUR, a_model, a_model_version, a_symbol, an_actor, candles
from tradingcore.testing.fakes import FakeClock
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.ports import FeedCandle
from tradingcore.trading.queries import DecisionFilter, SignalFilter
from tradingcore.trading.use_cases.close_candle import CloseCandleCommand

HISTORY = 4
"""Candles that are stored before the live path starts: enough for the features."""

DAY: Sequence[Candle] = candles(24)
SIGNALS = Topic("signals:BTC/USDT:1h")
ALL_SIGNALS = Topic("signals:*")
CANDLES = Topic("candles:BTC/USDT:1h")


@dataclass
class Flow:
    feed: FilledFeed = field(default_factory=FilledFeed)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.container = Container(storage_kind="memory")
        self.container.clock.override(self.clock)
        self.container.features.override(SumFeatures())
        self.container.loader.override(HopefulLoader())
        self.database: MemoryDatabase = self.container.memory()

    async def prepared(self, *, bundle: bytes = b"a bundle", has_model: bool = True) -> Flow:
        async with self.container.trading_uow()(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, DAY[:HISTORY])
        if has_model:
            digest = await self.container.blobs().put(bundle)
            async with self.container.ml_uow()(an_actor()) as unit:
                model = a_model()
                await crowned(unit, model, a_model_version(model, bundle_sha256=digest))
        return self

    async def close(self, candle: Candle, *, trace_id: TraceId | None = None) -> None:
        arrival = FeedCandle(key=BTC_1H, candle=candle, received_at=candle.open_time + HOUR, source="test")
        actor = Actor.system(trace_id or self.container.ids().new_trace_id(), name="feed")
        await self.container.close_candle()(actor, CloseCandleCommand(arrival=arrival, feed=self.feed))

    async def relayed(self) -> int:
        return await Relay(self.container.outbox(), self.container.reactions()).drain()

    async def forecasts(self) -> list[Forecast]:
        return sorted(self.database.forecasts.rows.values(), key=lambda forecast: forecast.candle)

    async def decisions(self) -> list[Decision]:
        """Oldest first."""
        page = await self.container.trading_queries().list_decisions(DecisionFilter(), PageRequest(limit=200))
        return list(reversed(page.items))

    async def signals(self) -> list[Signal]:
        page = await self.container.trading_queries().list_signals(SignalFilter(), PageRequest(limit=200))
        return list(reversed(page.items))

    async def heard(self, topic: Topic) -> Sequence[StreamEntry]:
        log: Any = self.container.stream_log()
        head: StreamPosition = await log.head(topic)
        entries: Sequence[StreamEntry] = await log.read(topic, after=StreamPosition(head.epoch, 0), limit=1_000)
        return entries
