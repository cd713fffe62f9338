from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Row

from tradingcore.kernel.codec import decode, encode
from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, SymbolCode, Timeframe
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.live_series import Freshness, LiveSeries
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, Signal, SignalStatus
from tradingcore.trading.model.symbol import Cost, CostUnit, SignalRules, SignalTerms, Symbol, TradingCosts


def symbol_to_row(symbol: Symbol) -> dict[str, Any]:
    costs = symbol.costs
    return {
        "code": symbol.code,
        "asset_class": symbol.asset_class,
        "base": symbol.base,
        "quote": symbol.quote,
        "price_tick": symbol.price_tick,
        "quantity_step": symbol.quantity_step,
        "minimum_notional": symbol.minimum_notional,
        "half_spread": costs.half_spread.amount,
        "half_spread_unit": costs.half_spread.unit,
        "fee": costs.fee.amount,
        "fee_unit": costs.fee.unit,
        "slippage": costs.slippage.amount,
        "slippage_unit": costs.slippage.unit,
        "calendar": symbol.calendar,
        "minimum_risk_reward": symbol.rules.minimum_risk_reward,
        "minimum_expected_value_r": symbol.rules.minimum_expected_value_r,
    }


def symbol_from_row(row: Row[Any]) -> Symbol:
    return Symbol(
        version=row.version,
        code=SymbolCode(row.code),
        asset_class=AssetClass(row.asset_class),
        base=row.base,
        quote=row.quote,
        price_tick=row.price_tick,
        quantity_step=row.quantity_step,
        minimum_notional=row.minimum_notional,
        costs=TradingCosts(
            half_spread=Cost(row.half_spread, CostUnit(row.half_spread_unit)),
            fee=Cost(row.fee, CostUnit(row.fee_unit)),
            slippage=Cost(row.slippage, CostUnit(row.slippage_unit)),
        ),
        calendar=Calendar(row.calendar),
        rules=SignalRules(minimum_risk_reward=row.minimum_risk_reward, minimum_expected_value_r=row.minimum_expected_value_r),
    )


def live_series_to_row(series: LiveSeries) -> dict[str, Any]:
    return {
        "symbol": series.key.symbol,
        "timeframe": series.key.timeframe,
        "source": series.source,
        "last_closed": series.last_closed,
        "freshness": series.freshness,
    }


def live_series_from_row(row: Row[Any]) -> LiveSeries:
    return LiveSeries(
        version=row.version,
        key=SeriesKey(SymbolCode(row.symbol), Timeframe(row.timeframe)),
        source=row.source,
        last_closed=row.last_closed,
        freshness=Freshness(row.freshness),
    )


SIGNAL_FIELDS: Final = tuple(field.name for field in fields(Signal) if field.name != "pending_events")
"""The columns of a signal bear the names of its fields."""


def signal_to_row(signal: Signal) -> dict[str, Any]:
    return {name: getattr(signal, name) for name in SIGNAL_FIELDS} | {"terms": encode(signal.terms)}


def signal_from_row(row: Iterable[Any]) -> Signal:
    """``row`` holds the values of `SIGNAL_FIELDS` in that order, the terms as text."""
    values = dict(zip(SIGNAL_FIELDS, row, strict=True))
    values["timeframe"] = Timeframe(values["timeframe"])
    values["side"] = Side(values["side"])
    values["edge_status"] = EdgeStatus(values["edge_status"])
    values["status"] = SignalStatus(values["status"])
    values["terms"] = _terms_from(values["terms"])
    return Signal(**values)


@lru_cache(256)
def _terms_from(stored: str) -> SignalTerms:
    # All signals of a symbol have the same, until somebody changes them.
    return decode(SignalTerms, json.loads(stored))


def decision_to_row(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "symbol": decision.symbol,
        "timeframe": decision.timeframe,
        "candle": decision.candle,
        "decided_at": decision.decided_at,
        "reason": decision.reason,
        "detail": decision.detail,
        "trace_id": decision.trace_id,
        "forecast_id": decision.forecast_id,
        "signal_id": decision.signal_id,
        "expected_value_r": decision.expected_value_r,
    }


def decision_from_row(row: Row[Any]) -> Decision:
    return Decision(
        version=row.version,
        id=row.id,
        symbol=SymbolCode(row.symbol),
        timeframe=Timeframe(row.timeframe),
        candle=row.candle,
        decided_at=row.decided_at,
        reason=DecisionReason(row.reason),
        detail=row.detail,
        trace_id=row.trace_id,
        forecast_id=row.forecast_id,
        signal_id=row.signal_id,
        expected_value_r=row.expected_value_r,
    )
