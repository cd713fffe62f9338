from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from adapters.memory.stream_log import MemoryStreamLog
from entrypoints.http.metrics import Metrics
from entrypoints.http.monitoring import OutboxGauges, watch_stream
from entrypoints.http.stream.hub import Hub
from tests.unit.entrypoints.http.stream.builders import an_actor
from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.ports import OutboxStatus
from tradingcore.testing.fakes import FakeClock, SequentialIds


@dataclass
class AnOutbox:
    is_away: bool = False

    async def status(self) -> OutboxStatus:
        if self.is_away:
            raise Unavailable("away")
        return OutboxStatus(open=3, parked=1, oldest_age=timedelta(seconds=90))


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(name)
    assert found is not None
    return found


async def test_the_outbox_is_sampled_and_unknown_while_storage_is_away() -> None:
    metrics, outbox = Metrics(), AnOutbox()
    gauges = OutboxGauges(metrics, lambda: cast(Any, outbox))
    await gauges.sample()
    figures = [value(metrics, f"tradingcore_outbox_{name}") for name in ("open", "parked", "lag_seconds")]
    assert figures == [3, 1, 90]
    outbox.is_away = True
    await gauges.sample()
    assert math.isnan(value(metrics, "tradingcore_outbox_lag_seconds"))


async def test_streams_are_counted_as_they_come_and_go() -> None:
    metrics, hub = Metrics(), Hub(MemoryStreamLog(FakeClock(), SequentialIds()))
    watch_stream(metrics, hub)
    with hub.connect(an_actor()):
        assert value(metrics, "tradingcore_stream_connections") == 1
    assert value(metrics, "tradingcore_stream_connections") == 0
