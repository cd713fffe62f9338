from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.kernel.use_case import UseCase
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.queries import DecisionFilter, SignalFilter, TradingQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSignalsCommand:
    where: SignalFilter = SignalFilter()
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSignals(UseCase[ListSignalsCommand, Page[Signal]]):
    """Newest first."""

    permission: ClassVar[Permission] = Permission.SIGNALS_READ
    queries: TradingQueries

    async def handle(self, actor: Actor, command: ListSignalsCommand) -> Page[Signal]:
        return await self.queries.list_signals(command.where, command.page)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSignalCommand:
    signal_id: SignalId


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSignal(UseCase[GetSignalCommand, Signal]):
    """Raises `SignalNotFound`."""

    permission: ClassVar[Permission] = Permission.SIGNALS_READ
    queries: TradingQueries

    async def handle(self, actor: Actor, command: GetSignalCommand) -> Signal:
        return await self.queries.get_signal(command.signal_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDecisionsCommand:
    where: DecisionFilter = DecisionFilter()
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDecisions(UseCase[ListDecisionsCommand, Page[Decision]]):
    """Newest first: each closed candle with its signal or the reason why there is none."""

    permission: ClassVar[Permission] = Permission.SIGNALS_READ
    queries: TradingQueries

    async def handle(self, actor: Actor, command: ListDecisionsCommand) -> Page[Decision]:
        return await self.queries.list_decisions(command.where, command.page)
