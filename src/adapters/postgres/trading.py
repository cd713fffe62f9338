from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Select, Text, bindparam, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.candles import append_candles
from adapters.postgres.engine import fetch, statements
from adapters.postgres.pages import page_statement, paged
from adapters.postgres.rows.trading import (
    SIGNAL_FIELDS,
    decision_from_row,
    decision_to_row,
    live_series_from_row,
    live_series_to_row,
    signal_from_row,
    signal_to_row,
    symbol_from_row,
    symbol_to_row,
)
from adapters.postgres.tables.trading import decisions, live_series, signals, symbols
from adapters.postgres.unit import PostgresUnit, PostgresUnits
from tradingcore.kernel.market import Candle, SeriesKey, SymbolCode
from tradingcore.kernel.page import Page, PageRequest, Position, page_from
from tradingcore.trading.errors import SignalNotFound, SymbolNotFound
from tradingcore.trading.ids import SignalId
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.signal import Signal, SignalStatus
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

# Built once: building a statement and finding it among the compiled ones costs as much as running it.
_SYMBOL: Final = select(symbols).where(symbols.c.code == bindparam("code"))
_LIVE_SERIES: Final = select(live_series).where(
    live_series.c.symbol == bindparam("symbol"), live_series.c.timeframe == bindparam("timeframe")
)
# The terms as text, because most signals have the same ones.
_SIGNALS: Final[Select[Any]] = select(
    *(cast(signals.c.terms, Text) if name == "terms" else signals.c[name] for name in SIGNAL_FIELDS)
)
_READ_SIGNALS: Final = f"select {', '.join(SIGNAL_FIELDS).replace('terms', 'terms::text')} from trading.signals"  # noqa: S608 - names
_SIGNAL: Final = _SIGNALS.where(signals.c.id == bindparam("id"))
_ACTIVE_SIGNALS: Final = _SIGNALS.where(
    signals.c.symbol == bindparam("symbol"),
    signals.c.timeframe == bindparam("timeframe"),
    signals.c.status == SignalStatus.ACTIVE,
).order_by(signals.c.issued_at, signals.c.id)
_DECISION: Final = select(decisions).where(
    decisions.c.symbol == bindparam("symbol"),
    decisions.c.timeframe == bindparam("timeframe"),
    decisions.c.candle == bindparam("candle"),
)


def _series(key: SeriesKey) -> dict[str, Any]:
    return {"symbol": key.symbol, "timeframe": key.timeframe}


class PostgresSymbolRepository(SymbolRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def get(self, code: SymbolCode) -> Symbol:
        symbol = await self.find(code)
        if symbol is None:
            raise SymbolNotFound(f"there is no symbol {code}")
        return symbol

    async def find(self, code: SymbolCode) -> Symbol | None:
        row = (await self._unit.connection.execute(_SYMBOL, {"code": code})).one_or_none()
        return None if row is None else symbol_from_row(row)

    async def save(self, symbol: Symbol) -> Symbol:
        return await self._unit.save(symbols, symbol, symbol_to_row(symbol), what=f"symbol {symbol.code}", key=("code",))


class PostgresLiveSeriesRepository(LiveSeriesRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def find(self, key: SeriesKey) -> LiveSeries | None:
        row = (await self._unit.connection.execute(_LIVE_SERIES, _series(key))).one_or_none()
        return None if row is None else live_series_from_row(row)

    async def save(self, series: LiveSeries) -> LiveSeries:
        row = live_series_to_row(series)
        return await self._unit.save(live_series, series, row, what=f"watched series {series.key}", key=("symbol", "timeframe"))


class PostgresCandleAppender(CandleAppender):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def append(self, key: SeriesKey, candles: Sequence[Candle]) -> None:
        await append_candles(self._unit.connection, key, candles)


class PostgresSignalRepository(SignalRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def list_active(self, key: SeriesKey) -> Sequence[Signal]:
        return [signal_from_row(row) for row in await self._unit.connection.execute(_ACTIVE_SIGNALS, _series(key))]

    async def save(self, signal: Signal) -> Signal:
        (saved,) = await self.save_all((signal,))
        return saved

    async def save_all(self, changed: Sequence[Signal]) -> Sequence[Signal]:
        if not changed:
            return ()
        key = SeriesKey(changed[0].symbol, changed[0].timeframe)
        return await self._unit.save_all(signals, changed, map(signal_to_row, changed), what=f"signals of {key}")

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        statement = delete(signals).where(
            signals.c.symbol == key.symbol, signals.c.timeframe == key.timeframe, signals.c.decision_candle >= first
        )
        return (await self._unit.connection.execute(statement)).rowcount


class PostgresDecisionRepository(DecisionRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def find(self, key: SeriesKey, candle: datetime) -> Decision | None:
        row = (await self._unit.connection.execute(_DECISION, {**_series(key), "candle": candle})).one_or_none()
        return None if row is None else decision_from_row(row)

    async def save(self, decision: Decision) -> Decision:
        return await self._unit.save(decisions, decision, decision_to_row(decision), what=f"the decision on {decision.candle}")

    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        statement = delete(decisions).where(
            decisions.c.symbol == key.symbol, decisions.c.timeframe == key.timeframe, decisions.c.candle >= first
        )
        return (await self._unit.connection.execute(statement)).rowcount


class PostgresTradingUnit(PostgresUnit, TradingUnitOfWork):
    @cached_property
    def symbols(self) -> PostgresSymbolRepository:
        return PostgresSymbolRepository(self)

    @cached_property
    def live_series(self) -> PostgresLiveSeriesRepository:
        return PostgresLiveSeriesRepository(self)

    @cached_property
    def candles(self) -> PostgresCandleAppender:
        return PostgresCandleAppender(self)

    @cached_property
    def signals(self) -> PostgresSignalRepository:
        return PostgresSignalRepository(self)

    @cached_property
    def decisions(self) -> PostgresDecisionRepository:
        return PostgresDecisionRepository(self)


class PostgresTradingUnits(PostgresUnits[PostgresTradingUnit]):
    """A `UnitOfWorkFactory` of `TradingUnitOfWork`; the role of ``engine`` is ``tc_worker``."""

    unit = PostgresTradingUnit


class PostgresTradingQueries(TradingQueries):
    """Market data and signals have no owner: nobody in particular reads them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list_symbols(self) -> Sequence[Symbol]:
        async with statements(self._engine) as connection:
            found = [symbol_from_row(row) for row in await connection.execute(select(symbols))]
        return sorted(found, key=lambda symbol: symbol.code)

    async def get_symbol(self, code: SymbolCode) -> Symbol:
        async with statements(self._engine) as connection:
            row = (await connection.execute(_SYMBOL, {"code": code})).one_or_none()
        if row is None:
            raise SymbolNotFound(f"there is no symbol {code}")
        return symbol_from_row(row)

    async def get_signal(self, signal_id: SignalId) -> Signal:
        async with statements(self._engine) as connection:
            row = (await connection.execute(_SIGNAL, {"id": signal_id})).one_or_none()
        if row is None:
            raise SignalNotFound(f"there is no signal {signal_id}")
        return signal_from_row(row)

    async def list_signals(self, where: SignalFilter, page: PageRequest) -> Page[Signal]:
        conditions = (
            ("symbol =", where.symbol),
            ("timeframe =", where.timeframe),
            ("side =", where.side),
            ("status =", where.status),
            ("edge_status =", where.edge_status),
            ("issued_at >=", where.since),
            ("probability >=", where.minimum_probability),
        )
        statement, values = page_statement(_READ_SIGNALS, conditions, at="issued_at", page=page)
        found = [signal_from_row(row) for row in await fetch(self._engine, statement, *values)]
        return page_from(found, page, lambda signal: Position(signal.issued_at, signal.id))

    async def list_decisions(self, where: DecisionFilter, page: PageRequest) -> Page[Decision]:
        statement = select(decisions)
        for column, value in (
            (decisions.c.symbol, where.symbol),
            (decisions.c.timeframe, where.timeframe),
            (decisions.c.reason, where.reason),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if where.since is not None:
            statement = statement.where(decisions.c.decided_at >= where.since)
        async with statements(self._engine) as connection:
            rows = await connection.execute(paged(statement, decisions.c.decided_at, decisions.c.id, page))
        found = [decision_from_row(row) for row in rows]
        return page_from(found, page, lambda decision: Position(decision.decided_at, decision.id))

    async def find_decision(self, key: SeriesKey, candle: datetime) -> Decision | None:
        async with statements(self._engine) as connection:
            row = (await connection.execute(_DECISION, {**_series(key), "candle": candle})).one_or_none()
        return None if row is None else decision_from_row(row)

    async def list_live_series(self) -> Sequence[LiveSeries]:
        async with statements(self._engine) as connection:
            found = [live_series_from_row(row) for row in await connection.execute(select(live_series))]
        return sorted(found, key=lambda series: (series.key.symbol, series.key.timeframe.duration))
