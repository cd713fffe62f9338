"""Sending stored candles through the live path again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from entrypoints.container import Container
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.use_cases.forget_forecasts import ForgetForecastsCommand
from tradingcore.trading.ports import MarketDataFeed
from tradingcore.trading.use_cases.rewind_series import RewindSeriesCommand


async def rewind_series(container: Container, actor: Actor, key: SeriesKey, *, first: datetime, source: str = "replay") -> None:
    """Forget what was forecast and decided from ``first`` on, and let the live path of ``key`` start there."""
    before = await container.candles().window(key, last=first - key.timeframe.duration, count=1)
    last_closed = before.last_open_time if len(before) else None
    # Forecasts go first: with the live path rewound and forecasts left, candles would pass that are never decided on.
    await container.forget_forecasts()(actor, ForgetForecastsCommand(key=key, first=first))
    await container.rewind_series()(actor, RewindSeriesCommand(key=key, source=source, first=first, last_closed=last_closed))


def stored_replay(
    container: Container,
    keys: Sequence[SeriesKey],
    *,
    start: datetime,
    stop: datetime | None,
    speed: float | None,
    source: str,
) -> MarketDataFeed:
    """A feed of the stored candles of several series, merged in time order."""
    from adapters.market_data.replay import ReplayFeed

    return ReplayFeed(container.candles(), dict.fromkeys(keys, start), stop=stop, candles_per_second=speed, source=source)
