"""Notice that a candle did not come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.live_series import Freshness, LiveSeries
from tradingcore.trading.policies import patience_for
from tradingcore.trading.ports import TradingUnitOfWork
from tradingcore.trading.queries import TradingQueries
from tradingcore.trading.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFreshnessCommand:
    """``keys`` are the series whose feed lives in the present; a replay is never late."""

    keys: Sequence[SeriesKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFreshness(UseCase[WatchFreshnessCommand, Sequence[SeriesKey]]):
    """Mark series as stale whose next candle is overdue, announce each once, and return those."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[TradingUnitOfWork]
    queries: TradingQueries
    clock: Clock

    async def handle(self, actor: Actor, command: WatchFreshnessCommand) -> Sequence[SeriesKey]:
        now = self.clock.now()
        calendars = {symbol.code: symbol.calendar for symbol in await self.queries.list_symbols()}
        went_stale = []
        for series in await self.queries.list_live_series():
            key = series.key
            if key not in command.keys or series.last_closed is None or series.freshness is Freshness.STALE:
                continue
            # A candle is due when it should have closed, and patience with its feed is over.
            due_before = now - patience_for(key.timeframe) - key.timeframe.duration
            overdue = Sessions(calendars[key.symbol], key.timeframe).missing_between(series.last_closed, due_before)
            if overdue:
                try:
                    await self._mark(actor, series, at=now)
                except StaleVersion:
                    continue  # A candle came just now, or another process was faster to notice.
                went_stale.append(key)
        return went_stale

    async def _mark(self, actor: Actor, series: LiveSeries, *, at: datetime) -> None:
        async with self.uow(actor) as unit:
            # By the version that was judged: a candle that came since makes it stale no more.
            await unit.live_series.save(series.went_stale(at=at))
