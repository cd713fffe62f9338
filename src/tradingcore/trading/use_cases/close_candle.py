"""The start of the flow: a feed says that a candle closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import Candle
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.ports import FeedCandle, MarketDataFeed, TradingUnitOfWork
from tradingcore.trading.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCandleCommand:
    arrival: FeedCandle
    feed: MarketDataFeed
    """Asked for the candles that are missing before this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCandleResult:
    """How many candles went into the flow: 0 for a duplicate or a late one, more than 1 when a gap was filled."""

    taken: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCandle(UseCase[CloseCandleCommand, CloseCandleResult]):
    """Store a closed candle and announce it, each candle once and in order; fill a gap before it from the feed.

    Raises `SymbolNotFound`, `CandleConflict` (another candle is stored for this time: nothing changes) and what the feed raises.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[TradingUnitOfWork]

    async def handle(self, actor: Actor, command: CloseCandleCommand) -> CloseCandleResult:
        result = await self._take(actor, command.arrival, filled=None)
        if isinstance(result, datetime):
            arrival = command.arrival
            filled = await command.feed.backfill(arrival.key, after=result, before=arrival.candle.open_time)
            result = await self._take(actor, arrival, filled=filled)
        assert isinstance(result, CloseCandleResult)
        return result

    async def _take(self, actor: Actor, arrival: FeedCandle, *, filled: Sequence[Candle] | None) -> CloseCandleResult | datetime:
        """Take the candle, or return the last candle before a gap that nobody has tried to fill."""
        key, candle = arrival.key, arrival.candle
        async with self.uow(actor) as unit:
            series = await unit.live_series.find(key) or LiveSeries(key=key, source=arrival.source)
            if series.has_passed(candle.open_time):
                return CloseCandleResult(taken=0, missing=0)
            missing = 0
            fresh = [item for item in filled or () if not series.has_passed(item.open_time)]
            if series.last_closed is not None and candle.open_time > key.timeframe.close_of(series.last_closed):
                symbol = await unit.symbols.get(key.symbol)
                sessions = Sessions(symbol.calendar, key.timeframe)
                opens = [series.last_closed, *(item.open_time for item in fresh), candle.open_time]
                missing = sum(sessions.missing_between(before, after) for before, after in pairwise(opens))
                if missing and filled is None:
                    return series.last_closed
            taken = [*fresh, candle]
            await unit.candles.append(key, taken)
            for item in taken:
                is_last = item is candle
                series = series.closed(
                    item,
                    source=arrival.source,
                    received_at=arrival.received_at,
                    missing_candles=missing if is_last else 0,
                )
            await unit.live_series.save(series)
            return CloseCandleResult(taken=len(taken), missing=missing)
