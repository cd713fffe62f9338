from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.notifications.model.stream import StreamMessage, topic_of
from tradingcore.notifications.use_cases.publish_to_stream import PublishToStream, PublishToStreamCommand
from tradingcore.processes.reaction import Reaction
from tradingcore.processes.wire import candle_on_the_wire
from tradingcore.trading.events import CandleClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenCandleClosedPublish(Reaction[CandleClosed]):
    name: ClassVar[str] = "notifications.publish_candle"
    reacts_to: ClassVar[type[DomainEvent]] = CandleClosed
    publish: PublishToStream

    async def react(self, actor: Actor, event: CandleClosed, recorded: RecordedEvent) -> None:
        key = SeriesKey(event.symbol, event.timeframe)
        message = StreamMessage(
            topic=topic_of("candles", key),
            event_id=recorded.id,
            type="candle.closed",
            at=event.occurred_at,
            data=candle_on_the_wire(key, event.candle, source=event.source),
            trace_id=actor.trace_id,
        )
        await self.publish(actor, PublishToStreamCommand(messages=(message,)))
