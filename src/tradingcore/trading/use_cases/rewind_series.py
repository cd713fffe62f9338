"""Prepare a series for another replay of the same candles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.model.live_series import Freshness, LiveSeries
from tradingcore.trading.ports import TradingUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindSeriesCommand:
    """``last_closed`` is the candle after which the replay starts; ``None`` when nothing comes before it."""

    key: SeriesKey
    source: str
    first: datetime
    last_closed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindSeriesResult:
    decisions: int
    signals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindSeries(UseCase[RewindSeriesCommand, RewindSeriesResult]):
    """Forget the decisions and signals from ``first`` on and let the live path start there. Candles stay.

    For replays of history (the demo) only: what was decided on live data is a record and is never rewound.
    """

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[TradingUnitOfWork]

    async def handle(self, actor: Actor, command: RewindSeriesCommand) -> RewindSeriesResult:
        async with self.uow(actor) as unit:
            series = await unit.live_series.find(command.key) or LiveSeries(key=command.key, source=command.source)
            decisions = await unit.decisions.delete_from(command.key, command.first)
            signals = await unit.signals.delete_from(command.key, command.first)
            await unit.live_series.save(
                replace(series, last_closed=command.last_closed, freshness=Freshness.FRESH, source=command.source)
            )
        return RewindSeriesResult(decisions=decisions, signals=signals)
