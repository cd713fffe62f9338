"""Contracts and builders of the notifications context."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tradingcore.kernel.authz import EventId, TraceId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.errors import HistoryGone
from tradingcore.notifications.model.stream import ALL_SIGNALS, StreamEntry, StreamMessage, StreamPosition, Topic
from tradingcore.notifications.ports import StreamLog

BITCOIN = Topic("signals:BTC/USDT:1h")
EURO = Topic("signals:EUR/USD:1h")


def a_message(number: int = 1, *, topic: Topic = BITCOIN, data: Mapping[str, Any] | None = None) -> StreamMessage:
    """The ``number``-th message; equal numbers carry equal event ids."""
    return StreamMessage(
        topic=topic,
        event_id=EventId(UUID(int=number)),
        type="trading.signal_issued",
        at=datetime(2026, 1, 1, 12, tzinfo=UTC),
        data={"number": number} if data is None else data,
        trace_id=TraceId(f"{number:032x}"),
    )


async def take(entries: AsyncIterator[StreamEntry], count: int, *, seconds: float = 10.0) -> list[StreamEntry]:
    """The next ``count`` entries. Raises `TimeoutError` when they do not come."""
    async with asyncio.timeout(seconds):
        return [await anext(entries) for _ in range(count)]


def offsets(entries: Sequence[StreamEntry], topic: Topic = BITCOIN) -> list[int]:
    return [entry.position.offset for entry in entries if entry.message.topic == topic]


class StreamLogContract(ABC):
    """Subclass it, and supply a fixture ``log`` (an empty log) and the two methods below."""

    @abstractmethod
    async def grow_old(self, log: StreamLog) -> None:
        """Make every present entry older than the log keeps."""

    @abstractmethod
    async def start_over(self, log: StreamLog) -> StreamLog:
        """Lose everything, as a log does whose storage was restored or restarted, and return the log that follows."""

    async def test_offsets_count_from_one_in_each_topic(self, log: StreamLog) -> None:
        positions = await log.publish([a_message(1), a_message(2, topic=EURO), a_message(3)])
        assert [position.offset for position in positions] == [1, 1, 2]
        assert len({position.epoch for position in positions}) == 1

    async def test_publishing_nothing_is_allowed(self, log: StreamLog) -> None:
        assert list(await log.publish([])) == []

    async def test_a_known_event_is_not_appended_again(self, log: StreamLog) -> None:
        first, second = await log.publish([a_message(1), a_message(2)])
        assert list(await log.publish([a_message(2), a_message(1), a_message(3)]))[:2] == [second, first]
        assert (await log.head(BITCOIN)).offset == 3

    async def test_a_batch_that_repeats_an_event_appends_it_once(self, log: StreamLog) -> None:
        first, second = await log.publish([a_message(1), a_message(1)])
        assert first == second
        assert (await log.head(BITCOIN)).offset == 1

    async def test_one_event_has_a_place_in_each_of_its_topics(self, log: StreamLog) -> None:
        await log.publish([a_message(2), a_message(2, topic=ALL_SIGNALS), a_message(3, topic=ALL_SIGNALS)])
        assert (await log.head(BITCOIN)).offset == 1
        assert (await log.head(ALL_SIGNALS)).offset == 2

    async def test_what_was_published_is_read_as_it_was(self, log: StreamLog) -> None:
        message = a_message(1, data={"entry": "64000.10", "score": 0.1, "text": "naïve ✓", "none": None, "deep": [1, {}]})
        (position,) = await log.publish([message])
        start = StreamPosition(position.epoch, 0)
        assert list(await log.read(BITCOIN, after=start, limit=10)) == [StreamEntry(position=position, message=message)]

    async def test_data_that_is_not_json_is_refused_and_nothing_is_appended(self, log: StreamLog) -> None:
        with pytest.raises(InvalidInput):
            await log.publish([a_message(1), a_message(2, data={"score": float("nan")})])
        assert (await log.head(BITCOIN)).offset == 0

    async def test_a_large_message_survives(self, log: StreamLog) -> None:
        message = a_message(1, data={"text": "✓" * 40_000})
        async with log.follow() as entries:
            await log.publish([message])
            (followed,) = await take(entries, 1)
        assert followed.message == message

    async def test_head_of_an_untouched_topic_is_where_its_first_entry_follows(self, log: StreamLog) -> None:
        before = await log.head(BITCOIN)
        assert before.offset == 0
        (position,) = await log.publish([a_message()])
        assert (position.epoch, await log.head(BITCOIN)) == (before.epoch, position)
        assert len(await log.read(BITCOIN, after=before, limit=10)) == 1

    async def test_reading_starts_after_the_position_and_stops_at_the_limit(self, log: StreamLog) -> None:
        await log.publish([a_message(number) for number in range(1, 8)])
        epoch = (await log.head(BITCOIN)).epoch
        assert offsets(await log.read(BITCOIN, after=StreamPosition(epoch, 2), limit=3)) == [3, 4, 5]
        assert list(await log.read(BITCOIN, after=StreamPosition(epoch, 7), limit=3)) == []

    async def test_a_position_of_another_epoch_has_no_history(self, log: StreamLog) -> None:
        await log.publish([a_message()])
        with pytest.raises(HistoryGone) as caught:
            await log.read(BITCOIN, after=StreamPosition("elsewhere", 0), limit=10)
        assert caught.value.reason == "epoch_changed"

    @pytest.mark.parametrize("offset", [2, -1, 2**63 - 1, 2**70])
    async def test_an_offset_that_was_never_given_has_no_history(self, log: StreamLog, offset: int) -> None:
        (position,) = await log.publish([a_message()])
        with pytest.raises(HistoryGone) as caught:
            await log.read(BITCOIN, after=StreamPosition(position.epoch, offset), limit=10)
        assert caught.value.reason == "unknown_offset"

    async def test_trimmed_history_is_gone_and_the_newest_offset_stays(self, log: StreamLog) -> None:
        positions = await log.publish([a_message(number) for number in (1, 2, 3)])
        await self.grow_old(log)
        await log.trim()
        assert await log.head(BITCOIN) == positions[-1]
        assert list(await log.read(BITCOIN, after=positions[-1], limit=10)) == []
        with pytest.raises(HistoryGone) as caught:
            await log.read(BITCOIN, after=positions[0], limit=10)
        assert caught.value.reason == "trimmed"
        (position,) = await log.publish([a_message(4)])
        assert position == StreamPosition(positions[-1].epoch, 4)

    async def test_trim_drops_exactly_what_is_old(self, log: StreamLog) -> None:
        old = await log.publish([a_message(1), a_message(2)])
        await self.grow_old(log)
        await log.publish([a_message(3)])
        assert await log.trim() == 2
        assert offsets(await log.read(BITCOIN, after=old[-1], limit=10)) == [3]
        assert await log.trim() == 0

    async def test_a_log_that_starts_over_has_another_epoch(self, log: StreamLog) -> None:
        old = await log.publish([a_message(1), a_message(2)])
        log = await self.start_over(log)
        (new,) = await log.publish([a_message(1)])
        assert (new.offset, new.epoch != old[0].epoch) == (1, True)
        with pytest.raises(HistoryGone):
            await log.read(BITCOIN, after=old[0], limit=10)

    async def test_sixteen_publishers_leave_no_gap_and_no_double(self, log: StreamLog) -> None:
        async def publish(publisher: int) -> list[StreamPosition]:
            places: list[StreamPosition] = []
            for number in range(10):
                event = publisher * 100 + number
                places += await log.publish([a_message(event), a_message(event, topic=EURO if event % 2 else ALL_SIGNALS)])
            return places

        async with log.follow() as entries:
            positions = await asyncio.gather(*(publish(publisher) for publisher in range(16)))
            followed = await take(entries, 320)
        given = sorted(position.offset for places in positions for position in places[::2])
        assert given == list(range(1, 161))
        assert offsets(followed) == given
        head = await log.head(BITCOIN)
        read = await log.read(BITCOIN, after=StreamPosition(head.epoch, 0), limit=1000)
        assert [entry.message for entry in read] == [entry.message for entry in followed if entry.message.topic == BITCOIN]

    async def test_sixteen_publishers_of_one_event_append_it_once(self, log: StreamLog) -> None:
        results = await asyncio.gather(*(log.publish([a_message(1, topic=EURO), a_message(1)]) for _ in range(16)))
        assert len({tuple(positions) for positions in results}) == 1
        assert (await log.head(BITCOIN)).offset == 1

    async def test_two_followers_see_everything_published_after_they_went_live(self, log: StreamLog) -> None:
        await log.publish([a_message(1)])
        async with log.follow() as one, log.follow() as other:
            await log.publish([a_message(2), a_message(2, topic=EURO)])
            await log.publish([a_message(2)])
            await log.publish([a_message(number) for number in range(3, 50)])
            for entries in (one, other):
                seen: dict[Topic, list[int]] = defaultdict(list)
                for entry in await take(entries, 49):
                    seen[entry.message.topic].append(entry.position.offset)
                assert seen == {BITCOIN: list(range(2, 50)), EURO: [1]}

    async def test_a_follower_waits_without_missing_what_comes_late(self, log: StreamLog) -> None:
        async with log.follow() as entries:
            waiting = asyncio.create_task(take(entries, 1))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await log.publish([a_message(1)])
            assert offsets(await waiting) == [1]
