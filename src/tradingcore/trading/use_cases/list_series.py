from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.queries import TradingQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSeriesCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSeries(UseCase[ListSeriesCommand, Sequence[LiveSeries]]):
    """List the watched series, with how fresh their data is, by symbol and timeframe."""

    permission: ClassVar[Permission] = Permission.MARKET_READ
    queries: TradingQueries

    async def handle(self, actor: Actor, command: ListSeriesCommand) -> Sequence[LiveSeries]:
        return await self.queries.list_live_series()
