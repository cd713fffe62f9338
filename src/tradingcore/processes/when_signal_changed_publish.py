from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent, RecordedEvent
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.notifications.model.stream import ALL_SIGNALS, StreamMessage, topic_of
from tradingcore.notifications.use_cases.publish_to_stream import PublishToStream, PublishToStreamCommand
from tradingcore.processes.reaction import Reaction
from tradingcore.processes.wire import rfc3339, signal_on_the_wire
from tradingcore.trading.errors import SignalNotFound
from tradingcore.trading.events import SeriesWentStale, SignalIssued, SignalResolved
from tradingcore.trading.ids import SignalId
from tradingcore.trading.use_cases.list_signals import GetSignal, GetSignalCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPublisher:
    """Publishes a signal, as it is stored now, on its series' topic and on the topic of all signals.

    Of a signal that a rewind has forgotten meanwhile there is nothing to tell.
    """

    get_signal: GetSignal
    publish: PublishToStream

    async def __call__(self, actor: Actor, signal_id: SignalId, recorded: RecordedEvent, type_name: str) -> None:
        try:
            signal = await self.get_signal(actor, GetSignalCommand(signal_id=signal_id))
        except SignalNotFound:
            return
        data = signal_on_the_wire(signal)
        topics = (topic_of("signals", SeriesKey(signal.symbol, signal.timeframe)), ALL_SIGNALS)
        messages = [
            StreamMessage(
                topic=topic,
                event_id=recorded.id,
                type=type_name,
                at=recorded.event.occurred_at,
                data=data,
                trace_id=actor.trace_id,
            )
            for topic in topics
        ]
        await self.publish(actor, PublishToStreamCommand(messages=messages))


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenSignalIssuedPublish(Reaction[SignalIssued]):
    name: ClassVar[str] = "notifications.publish_signal_issued"
    reacts_to: ClassVar[type[DomainEvent]] = SignalIssued
    publish_signal: SignalPublisher

    async def react(self, actor: Actor, event: SignalIssued, recorded: RecordedEvent) -> None:
        await self.publish_signal(actor, event.signal_id, recorded, "signal.issued")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenSignalResolvedPublish(Reaction[SignalResolved]):
    name: ClassVar[str] = "notifications.publish_signal_resolved"
    reacts_to: ClassVar[type[DomainEvent]] = SignalResolved
    publish_signal: SignalPublisher

    async def react(self, actor: Actor, event: SignalResolved, recorded: RecordedEvent) -> None:
        await self.publish_signal(actor, event.signal_id, recorded, "signal.resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenSeriesWentStalePublish(Reaction[SeriesWentStale]):
    """Tell the subscribers of a series' signals that none will come until its data is fresh again."""

    name: ClassVar[str] = "notifications.publish_series_stale"
    reacts_to: ClassVar[type[DomainEvent]] = SeriesWentStale
    publish: PublishToStream

    async def react(self, actor: Actor, event: SeriesWentStale, recorded: RecordedEvent) -> None:
        key = SeriesKey(event.symbol, event.timeframe)
        message = StreamMessage(
            topic=topic_of("signals", key),
            event_id=recorded.id,
            type="series.stale",
            at=event.occurred_at,
            data={
                "symbol": event.symbol,
                "timeframe": event.timeframe.value,
                "last_closed": rfc3339(event.last_closed),
            },
            trace_id=actor.trace_id,
        )
        await self.publish(actor, PublishToStreamCommand(messages=(message,)))
