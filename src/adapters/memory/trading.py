from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from adapters.memory.candles import StagedCandles
from adapters.memory.database import MemoryDatabase, MemoryUnit, MemoryUnits, Stored
from adapters.memory.lazy import lazy
from tradingcore.kernel.market import Candle, SeriesKey, SymbolCode
from tradingcore.kernel.page import Page, PageRequest, Position, page_from
from tradingcore.trading.errors import SignalNotFound, SymbolNotFound
from tradingcore.trading.ids import DecisionId, SignalId
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Symbol
from tradingcore.trading.ports import (
    CandleAppender,
    DecisionRepository,
    LiveSeriesRepository,
    SignalRepository,
    SymbolRepository,
    TradingUnitOfWork,
)
from tradingcore.trading.queries import DecisionFilter, SignalFilter, TradingQueries


class MemorySymbolRepository(Stored[SymbolCode, Symbol], SymbolRepository):
    async def get(self, code: SymbolCode) -> Symbol:
        symbol = self._staged.find(code)
        if symbol is None:
            raise SymbolNotFound(f"there is no symbol {code}")
        return symbol

    async def find(self, code: SymbolCode) -> Symbol | None:
        return self._staged.find(code)


class MemoryLiveSeriesRepository(Stored[SeriesKey, LiveSeries], LiveSeriesRepository):
    async def find(self, key: SeriesKey) -> LiveSeries | None:
        return self._staged.find(key)


class MemoryCandleAppender(CandleAppender):
    def __init__(self, unit: MemoryTradingUnit) -> None:
        self._unit = unit
        self._staged = StagedCandles(unit.database)
        unit.stage_candles(self._staged)

    async def append(self, key: SeriesKey, candles: Sequence[Candle]) -> None:
        if key.symbol not in self._unit.database.symbols.rows:
            await self._unit.symbols.get(key.symbol)
        self._staged.add(key, candles)


class MemorySignalRepository(Stored[SignalId, Signal], SignalRepository):
    async def list_active(self, key: SeriesKey) -> Sequence[Signal]:
        return sorted(self._staged.in_group(key), key=lambda signal: (signal.issued_at, signal.id))

    async def save_all(self, changed: Sequence[Signal]) -> Sequence[Signal]:
        return [await self.save(signal) for signal in changed]

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        return self._staged.delete(
            [
                signal.id
                for signal in self._staged
                if (signal.symbol, signal.timeframe) == (key.symbol, key.timeframe) and signal.decision_candle >= first
            ]
        )


class MemoryDecisionRepository(Stored[DecisionId, Decision], DecisionRepository):
    async def find(self, key: SeriesKey, candle: datetime) -> Decision | None:
        return self._staged.find_unique((key.symbol, key.timeframe, candle))

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        return self._staged.delete(
            [
                decision.id
                for decision in self._staged
                if (decision.symbol, decision.timeframe) == (key.symbol, key.timeframe) and decision.candle >= first
            ]
        )


class MemoryTradingUnit(MemoryUnit, TradingUnitOfWork):
    @lazy
    def symbols(self) -> MemorySymbolRepository:
        return MemorySymbolRepository(self, self.database.symbols)

    @lazy
    def live_series(self) -> MemoryLiveSeriesRepository:
        return MemoryLiveSeriesRepository(self, self.database.live_series)

    @lazy
    def candles(self) -> MemoryCandleAppender:
        return MemoryCandleAppender(self)

    @lazy
    def signals(self) -> MemorySignalRepository:
        return MemorySignalRepository(self, self.database.signals)

    @lazy
    def decisions(self) -> MemoryDecisionRepository:
        return MemoryDecisionRepository(self, self.database.decisions)


class MemoryTradingUnits(MemoryUnits[MemoryTradingUnit]):
    """A `UnitOfWorkFactory` of `TradingUnitOfWork`."""

    unit = MemoryTradingUnit


class MemoryTradingQueries(TradingQueries):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def list_symbols(self) -> Sequence[Symbol]:
        return sorted(self._database.symbols.rows.values(), key=lambda symbol: symbol.code)

    async def get_symbol(self, code: SymbolCode) -> Symbol:
        symbol = self._database.symbols.rows.get(code)
        if symbol is None:
            raise SymbolNotFound(f"there is no symbol {code}")
        return symbol

    async def get_signal(self, signal_id: SignalId) -> Signal:
        signal = self._database.signals.rows.get(signal_id)
        if signal is None:
            raise SignalNotFound(f"there is no signal {signal_id}")
        return signal

    async def list_signals(self, where: SignalFilter, page: PageRequest) -> Page[Signal]:
        def matches(signal: Signal) -> bool:
            return (
                (where.symbol is None or signal.symbol == where.symbol)
                and (where.timeframe is None or signal.timeframe is where.timeframe)
                and (where.side is None or signal.side is where.side)
                and (where.status is None or signal.status is where.status)
                and (where.edge_status is None or signal.edge_status is where.edge_status)
                and (where.since is None or signal.issued_at >= where.since)
                and (where.minimum_probability is None or signal.probability >= where.minimum_probability)
            )

        rows = self._database.signals.newest_first(page, matches)
        return page_from(rows, page, lambda signal: Position(signal.issued_at, signal.id))

    async def list_decisions(self, where: DecisionFilter, page: PageRequest) -> Page[Decision]:
        def matches(decision: Decision) -> bool:
            return (
                (where.symbol is None or decision.symbol == where.symbol)
                and (where.timeframe is None or decision.timeframe is where.timeframe)
                and (where.reason is None or decision.reason is where.reason)
                and (where.since is None or decision.decided_at >= where.since)
            )

        rows = self._database.decisions.newest_first(page, matches)
        return page_from(rows, page, lambda decision: Position(decision.decided_at, decision.id))

    async def find_decision(self, key: SeriesKey, candle: datetime) -> Decision | None:
        decision_id = self._database.decisions.unique_rows.get((key.symbol, key.timeframe, candle))
        return None if decision_id is None else self._database.decisions.rows[decision_id]

    async def list_live_series(self) -> Sequence[LiveSeries]:
        return sorted(
            self._database.live_series.rows.values(), key=lambda series: (series.key.symbol, series.key.timeframe.duration)
        )
