"""The start of the flow: a feed says that a candle closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import Candle
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.errors import CandleConflict
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

    Raises `SymbolNotFound`, `InvalidInput` for a time at which no candle opens, `CandleConflict` (another candle is stored for this
    time: nothing changes), `StaleVersion` when another process takes the same candle now, and what the feed raises.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[TradingUnitOfWork]

    async def handle(self, actor: Actor, command: CloseCandleCommand) -> CloseCandleResult:
        arrival = command.arrival
        if not arrival.key.timeframe.is_aligned(arrival.candle.open_time):
            raise InvalidInput(f"{arrival.candle.open_time.isoformat()} is not the open of a {arrival.key.timeframe.value} candle")
        result = await self._take(actor, arrival, filled=None)
        if isinstance(result, datetime):
            filled = await _backfill(command, after=result)
            try:
                result = await self._take(actor, arrival, filled=filled)
            except CandleConflict:
                if not filled:
                    raise
                # The feed contradicts what is stored in the gap. The gap stays one, and says so: else the series would stand still
                # for ever.
                result = await self._take(actor, arrival, filled=())
        assert isinstance(result, CloseCandleResult)
        return result

    async def _take(self, actor: Actor, arrival: FeedCandle, *, filled: Sequence[Candle] | None) -> CloseCandleResult | datetime:
        """Take the candle, or return the last candle before a gap that nobody has tried to fill."""
        key, candle = arrival.key, arrival.candle
        async with self.uow(actor) as unit:
            series = await unit.live_series.find(key) or LiveSeries(key=key, source=arrival.source)
            if series.has_passed(candle.open_time):
                return CloseCandleResult(taken=0, missing=0)
            fresh = [item for item in filled or () if not series.has_passed(item.open_time)]
            if series.last_closed is not None and candle.open_time > key.timeframe.close_of(series.last_closed):
                symbol = await unit.symbols.get(key.symbol)
                sessions = Sessions(symbol.calendar, key.timeframe)
                opens = [series.last_closed, *(item.open_time for item in fresh), candle.open_time]
                missing = [sessions.missing_between(before, after) for before, after in pairwise(opens)]
                if any(missing) and filled is None:
                    return series.last_closed
            else:
                missing = [0] * (len(fresh) + 1)
            taken = [*fresh, candle]
            await unit.candles.append(key, taken)
            for item, before in zip(taken, missing, strict=True):
                series = series.closed(item, source=arrival.source, received_at=arrival.received_at, missing_candles=before)
            await unit.live_series.save(series)
            return CloseCandleResult(taken=len(taken), missing=sum(missing))


async def _backfill(command: CloseCandleCommand, *, after: datetime) -> Sequence[Candle]:
    """What the feed has between the two, in order and each once, whatever order it came in."""
    key, before = command.arrival.key, command.arrival.candle.open_time
    found = await command.feed.backfill(key, after=after, before=before)
    fitting = {
        item.open_time: item for item in found if after < item.open_time < before and key.timeframe.is_aligned(item.open_time)
    }
    return [fitting[open_time] for open_time in sorted(fitting)]
