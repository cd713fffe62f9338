from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapters.memory.stream_log import MemoryStreamLog
from entrypoints.http.stream.connection import Connection
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.limits import CloseCode, StreamClosed, StreamLimits
from tests.unit.entrypoints.http.stream.builders import FlakyLog, a_log, an_actor, checked, eventually
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import Conflict, NotFound, PermissionDenied, RuleViolation, Unavailable
from tradingcore.notifications.errors import UnknownTopic
from tradingcore.notifications.model.stream import StreamPosition, Topic
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.testing.notifications import BITCOIN, EURO, a_message

CANDLES = Topic("candles:BTC/USDT:1h")


async def frames(connection: Connection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        return [checked((await connection.next()).text) for _ in range(count)]


async def frame(connection: Connection) -> dict[str, Any]:
    return (await frames(connection, 1))[0]


def offsets(seen: Sequence[dict[str, Any]]) -> list[int]:
    return [item["offset"] for item in seen if item["op"] == "event"]


async def is_quiet(connection: Connection) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await connection.next()
    except TimeoutError:
        return True
    return False


@pytest.fixture
def log() -> MemoryStreamLog:
    return a_log()


@pytest.fixture
async def hub(log: MemoryStreamLog) -> AsyncIterator[Hub]:
    hub = Hub(log)
    async with hub.running():
        yield hub


async def test_a_subscriber_gets_an_ack_and_then_what_is_published(hub: Hub, log: MemoryStreamLog) -> None:
    await log.publish([a_message(1)])
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, "a")
        head = await log.head(BITCOIN)
        await log.publish([a_message(2), a_message(3, topic=EURO)])
        ack, event = await frames(connection, 2)
        assert ack == {"op": "ack", "id": "a", "topic": BITCOIN, "epoch": head.epoch, "offset": 1, "recovered": False}
        assert event == {
            "op": "event",
            "topic": BITCOIN,
            "offset": 2,
            "ts": "2026-01-01T12:00:00Z",
            "type": "trading.signal_issued",
            "data": {"number": 2},
        }
        assert await is_quiet(connection)


async def test_who_comes_back_gets_what_was_missed(hub: Hub, log: MemoryStreamLog) -> None:
    first, *_ = await log.publish([a_message(number) for number in range(1, 700)])
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, first, 1)
        ack = await frame(connection)
        assert (ack["offset"], ack["recovered"]) == (1, True)
        missed = await frames(connection, 300)
        await log.publish([a_message(1000)])
        assert offsets(missed + await frames(connection, 399)) == list(range(2, 701))
        assert await is_quiet(connection)


async def test_who_missed_nothing_is_recovered_and_live(hub: Hub, log: MemoryStreamLog) -> None:
    (position,) = await log.publish([a_message(1)])
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, position, 1)
        assert (await frame(connection))["recovered"] is True
        await log.publish([a_message(2)])
        assert offsets([await frame(connection)]) == [2]


async def test_a_client_that_resumes_many_topics_is_not_taken_for_slow(log: MemoryStreamLog) -> None:
    topics = [Topic(f"signals:T{number}:1h") for number in range(40)]
    for topic in topics:
        await log.publish([a_message(number, topic=topic, data={"text": "x" * 200}) for number in range(30)])
    hub = Hub(log, StreamLimits(queue_messages=100, queue_bytes=64 * 1024))
    async with hub.running():
        with hub.connect(an_actor()) as connection:
            epoch = (await log.head(BITCOIN)).epoch
            for topic in topics:
                await connection.subscribe(topic, StreamPosition(epoch, 0), topic)
            seen = await frames(connection, 40 * 31)
            for topic in topics:
                assert offsets([item for item in seen if item["topic"] == topic]) == list(range(1, 31))


async def test_history_that_is_gone_is_said_and_the_stream_goes_on(hub: Hub, log: MemoryStreamLog) -> None:
    (position,) = await log.publish([a_message(1)])
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, StreamPosition("other", 1), 1)
        ack, reset = await frames(connection, 2)
        assert (ack["recovered"], ack["offset"]) == (False, 1)
        assert reset == {"op": "reset", "topic": BITCOIN, "reason": "epoch_changed", "epoch": position.epoch, "offset": 1}
        await log.publish([a_message(2)])
        assert offsets([await frame(connection)]) == [2]


async def test_a_slow_consumer_is_closed_and_resumes_losing_nothing(log: MemoryStreamLog) -> None:
    hub = Hub(log, StreamLimits(queue_messages=10))
    async with hub.running():
        with hub.connect(an_actor()) as connection:
            await connection.subscribe(BITCOIN, None, 1)
            epoch = (await frame(connection))["epoch"]
            await log.publish([a_message(number) for number in range(4)])
            seen = offsets(await frames(connection, 4))
            await log.publish([a_message(number) for number in range(10, 30)])
            await asyncio.sleep(0.01)
            with pytest.raises(StreamClosed) as closed:
                await connection.next()
            assert closed.value.code is CloseCode.SLOW_CONSUMER
        assert hub.status().slow_clients == 1
        with hub.connect(an_actor()) as connection:
            await connection.subscribe(BITCOIN, StreamPosition(epoch, seen[-1]), 1)
            await frame(connection)
            assert seen + offsets(await frames(connection, 20)) == list(range(1, 25))


async def test_too_many_bytes_make_a_consumer_slow_as_well(log: MemoryStreamLog) -> None:
    hub = Hub(log, StreamLimits(queue_bytes=10_000))
    async with hub.running():
        with hub.connect(an_actor()) as connection:
            await connection.subscribe(BITCOIN, None, 1)
            await log.publish([a_message(number, data={"text": "x" * 2_000}) for number in range(6)])
            await asyncio.sleep(0.01)
            with pytest.raises(StreamClosed):
                await frames(connection, 7)


async def test_only_the_newest_of_a_topic_waits_where_only_it_matters(hub: Hub, log: MemoryStreamLog) -> None:
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(CANDLES, None, 1)
        await connection.subscribe(BITCOIN, None, 2)
        await frames(connection, 2)
        for start in range(0, 1000, 50):
            await log.publish([a_message(number, topic=CANDLES) for number in range(start, start + 50)])
            await asyncio.sleep(0)
        await log.publish([a_message(1000)])  # once this waits, all that came before it was seen
        await eventually(lambda: hub.status().waiting_messages == 2)
        assert offsets(await frames(connection, 2)) == [1000, 1]
        assert await is_quiet(connection)


async def test_a_stalled_reader_holds_a_bounded_queue_and_disturbs_nobody(hub: Hub, log: MemoryStreamLog) -> None:
    with hub.connect(an_actor(number=1)) as stalled, hub.connect(an_actor(number=2)) as healthy:
        for connection in (stalled, healthy):
            await connection.subscribe(BITCOIN, None, 1)
            await connection.subscribe(CANDLES, None, 2)
        largest, seen = 0, await frames(healthy, 2)
        for number in range(600):
            await log.publish([a_message(number, data={"text": "x" * 5_000}), a_message(number, topic=CANDLES)])
            seen += [item for item in await frames(healthy, 2) if item["topic"] == BITCOIN]
            largest = max(largest, hub.status().waiting_bytes)
        assert offsets(seen) == list(range(1, 601))
        assert largest < 1024 * 1024
        with pytest.raises(StreamClosed):
            await stalled.next()


async def test_topics_are_authorised_one_by_one(hub: Hub) -> None:
    with hub.connect(an_actor(Role.STUDENT)) as connection:
        for topic in (BITCOIN, CANDLES, "signals:*"):
            with pytest.raises(PermissionDenied):
                await connection.subscribe(topic, None, 1)
        for nonsense in ("orders:1", "signals:", "signals:BTC/USDT:2h", "../etc", "x" * 80):
            with pytest.raises(UnknownTopic):
                await connection.subscribe(nonsense, None, 1)
        assert hub.status().topics == 0


async def test_a_topic_is_followed_once_and_left_once(hub: Hub, log: MemoryStreamLog) -> None:
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, 1)
        with pytest.raises(Conflict):
            await connection.subscribe(BITCOIN, None, 2)
        connection.unsubscribe(BITCOIN)
        with pytest.raises(NotFound):
            connection.unsubscribe(BITCOIN)
        assert hub.status().topics == 0
        await frame(connection)
        await log.publish([a_message(1)])
        assert await is_quiet(connection)


async def test_a_stream_follows_a_limited_number_of_topics(log: MemoryStreamLog) -> None:
    hub = Hub(log, StreamLimits(subscriptions=2))
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, 1)
        await connection.subscribe(EURO, None, 1)
        with pytest.raises(RuleViolation):
            await connection.subscribe(CANDLES, None, 1)


async def test_a_user_has_a_limited_number_of_streams_and_gets_them_back(hub: Hub) -> None:
    with hub.connect(an_actor(number=1)), hub.connect(an_actor(number=1)), hub.connect(an_actor(number=1)):
        with hub.connect(an_actor(number=1)), hub.connect(an_actor(number=1)):
            with pytest.raises(StreamClosed) as closed, hub.connect(an_actor(number=1)):
                pass
            assert closed.value.code is CloseCode.TOO_MANY_SOCKETS
            with hub.connect(an_actor(number=2)):
                pass
        with hub.connect(an_actor(number=1)):
            pass
    assert hub.status().connections == 0


async def test_who_carries_on_with_less_loses_what_is_not_theirs_any_more(hub: Hub) -> None:
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, 1)
        await connection.subscribe(CANDLES, None, 1)
        assert connection.act_as(an_actor(Role.STUDENT)) == [BITCOIN, CANDLES]
        assert hub.status().topics == 0


async def test_a_drained_hub_sends_everybody_away_with_a_delay(log: MemoryStreamLog) -> None:
    hub = Hub(log)

    async def hold() -> StreamClosed:
        with hub.connect(an_actor()) as connection:
            with pytest.raises(StreamClosed) as closed:
                await connection.next()
            return closed.value

    async with hub.running():
        held = [asyncio.create_task(hold()) for _ in range(4)]
        await asyncio.sleep(0)
        await hub.drain()
        reasons = {closed.reason for closed in await asyncio.gather(*held)}
        assert len(reasons) > 1
        assert all(reason.startswith("restart, reconnect_after_ms=") for reason in reasons)
        with pytest.raises(StreamClosed), hub.connect(an_actor()):
            pass


@pytest.fixture
def flaky() -> FlakyLog:
    return FlakyLog(FakeClock(), SequentialIds())


async def test_an_outage_of_the_log_is_told_and_closes_no_stream(flaky: FlakyLog) -> None:
    hub = Hub(flaky)
    async with hub.running():
        with hub.connect(an_actor(number=1)) as connection, hub.connect(an_actor(number=2)) as other:
            for each in (connection, other):
                await each.subscribe(BITCOIN, None, 1)
            await flaky.publish([a_message(1)])
            assert offsets(await frames(connection, 2)) == [1]
            flaky.lose()
            await flaky.publish([a_message(2), a_message(3)])
            assert (await frame(connection))["code"] == "degraded"
            assert hub.status().is_degraded
            with pytest.raises(Unavailable):
                await connection.subscribe(EURO, None, 2)
            with hub.connect(an_actor(number=3)) as newcomer:
                assert (await frame(newcomer))["code"] == "degraded"
            flaky.is_away, flaky.reads = False, 0
            assert (await frame(connection))["code"] == "restored"
            assert offsets(await frames(connection, 2)) == [2, 3]
            await asyncio.sleep(0.01)
            assert flaky.reads == 2, "equal reads of two subscribers are one: one batch, and one that finds nothing more"
            await flaky.publish([a_message(4)])
            assert offsets([await frame(connection)]) == [4]
            assert offsets(await frames(other, 7)) == [1, 2, 3, 4]
            assert hub.status().lost_log == 1


async def test_a_fault_of_the_follower_does_not_end_the_hub(
    hub: Hub, log: MemoryStreamLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub.connect(an_actor()) as connection:
        await connection.subscribe(BITCOIN, None, 1)
        await frame(connection)
        with monkeypatch.context() as patch:
            patch.setattr("entrypoints.http.stream.channels.outgoing_event", lambda _: 1 / 0)
            await log.publish([a_message(1)])
            assert (await frame(connection))["code"] == "degraded"
        assert (await frame(connection))["code"] == "restored"
        assert offsets([await frame(connection)]) == [1]
