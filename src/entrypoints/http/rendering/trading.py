from __future__ import annotations

from typing import Any

import msgspec

from entrypoints.http.schemas.trading import (
    CandleColumns,
    CostBody,
    CostsBody,
    DecisionBody,
    ExplanationBody,
    SeriesBody,
    SignalBody,
    StoredSeriesBody,
    SymbolBody,
)
from tradingcore.kernel.market import CandleSeries
from tradingcore.processes.wire import candle_on_the_wire, decimal_text, rfc3339, signal_on_the_wire
from tradingcore.trading.model.decision import Decision
from tradingcore.trading.model.live_series import LiveSeries
from tradingcore.trading.model.signal import Signal
from tradingcore.trading.model.symbol import Cost, Symbol
from tradingcore.trading.ports import SeriesExtent
from tradingcore.trading.use_cases.explain_signal import SignalExplanation
from tradingcore.trading.use_cases.list_symbols import ListedSymbol


def symbol_body(listed: ListedSymbol) -> SymbolBody:
    symbol: Symbol = listed.symbol
    return SymbolBody(
        code=symbol.code,
        asset_class=symbol.asset_class,
        base=symbol.base,
        quote=symbol.quote,
        price_tick=decimal_text(symbol.price_tick),
        quantity_step=decimal_text(symbol.quantity_step),
        minimum_notional=decimal_text(symbol.minimum_notional),
        calendar=symbol.calendar,
        costs=CostsBody(
            half_spread=_cost(symbol.costs.half_spread), fee=_cost(symbol.costs.fee), slippage=_cost(symbol.costs.slippage)
        ),
        minimum_risk_reward=decimal_text(symbol.rules.minimum_risk_reward),
        minimum_expected_value_r=decimal_text(symbol.rules.minimum_expected_value_r),
        series=[_stored(extent) for extent in listed.series],
    )


def _cost(cost: Cost) -> CostBody:
    return CostBody(amount=decimal_text(cost.amount), unit=cost.unit)


def _stored(extent: SeriesExtent) -> StoredSeriesBody:
    return StoredSeriesBody(
        timeframe=extent.key.timeframe, count=extent.count, first=rfc3339(extent.first), last=rfc3339(extent.last)
    )


def candle_rows(series: CandleSeries, *, source: str) -> dict[str, Any]:
    """As `CandleRows`, without an object per candle in between."""
    return {"data": [candle_on_the_wire(series.key, candle, source=source) for candle in series]}


def candle_columns(series: CandleSeries, *, source: str) -> CandleColumns:
    return CandleColumns(
        symbol=series.key.symbol,
        timeframe=series.key.timeframe,
        source=source,
        open_time=series.open_times.tolist(),
        open=_floats(series.open),
        high=_floats(series.high),
        low=_floats(series.low),
        close=_floats(series.close),
        volume=_floats(series.volume),
    )


def _floats(column: memoryview) -> list[float]:
    return list(column)


def signal_body(signal: Signal) -> SignalBody:
    """From the wire form, so that HTTP and the stream can never drift apart."""
    return msgspec.convert(signal_on_the_wire(signal), SignalBody)


def explanation_body(explanation: SignalExplanation) -> ExplanationBody:
    return ExplanationBody(
        signal=signal_body(explanation.signal),
        is_reproduced=explanation.is_reproduced,
        mismatches=list(explanation.mismatches),
        features=dict(explanation.features),
        lineage=dict(explanation.lineage),
    )


def decision_body(decision: Decision) -> DecisionBody:
    return DecisionBody(
        id=str(decision.id),
        symbol=decision.symbol,
        timeframe=decision.timeframe,
        candle=rfc3339(decision.candle),
        decided_at=rfc3339(decision.decided_at),
        reason=decision.reason,
        detail=decision.detail,
        forecast_id=None if decision.forecast_id is None else str(decision.forecast_id),
        signal_id=None if decision.signal_id is None else str(decision.signal_id),
        expected_value_r=decision.expected_value_r,
        trace_id=decision.trace_id,
    )


def series_body(series: LiveSeries, *, simulated: str) -> SeriesBody:
    return SeriesBody(
        symbol=series.key.symbol,
        timeframe=series.key.timeframe,
        source=series.source,
        is_simulated=series.source == simulated,
        freshness=series.freshness,
        last_closed=None if series.last_closed is None else rfc3339(series.last_closed),
    )
