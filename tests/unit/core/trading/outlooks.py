"""Outlooks to decide on."""

from __future__ import annotations

from typing import Any

from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, an_id
from tradingcore.trading.ids import ForecastRef, ModelVersionRef
from tradingcore.trading.model.outlook import BarrierOutlook, HorizonOutlook, Outlook, Side


def a_barrier(side: Side = Side.LONG, **overrides: Any) -> BarrierOutlook:
    """Target at twice the unit, stop at one, and an edge: 0.5 x 2 - 0.3 x 1 = 0.7 units before costs."""
    fields: dict[str, Any] = {
        "side": side,
        "k_take_profit": 2.0,
        "k_stop_loss": 1.0,
        "p_take_profit": 0.5,
        "p_stop_loss": 0.3,
        "p_time": 0.2,
        "mean_time_return": 0.0,
    }
    return BarrierOutlook(**(fields | overrides))


def a_horizon_outlook(*barriers: BarrierOutlook, **overrides: Any) -> HorizonOutlook:
    """Four candles, unit 1 %, medians of 3 % that cap nothing."""
    fields: dict[str, Any] = {
        "horizon": 4,
        "model_version_id": ModelVersionRef(an_id()),
        "model_version": "BTC/USDT:1h:h4:v1",
        "delta_high": (0.01, 0.03, 0.05),
        "delta_low": (0.01, 0.03, 0.05),
        "unit": 0.01,
        "barriers": barriers or (a_barrier(),),
        "interval_level": 0.8,
        "interval_coverage": 0.79,
        "sample_size": 1_234,
    }
    return HorizonOutlook(**(fields | overrides))


def an_outlook(*horizons: HorizonOutlook, **overrides: Any) -> Outlook:
    """BTC/USDT 1h, Monday midnight, close 100."""
    fields: dict[str, Any] = {
        "forecast_id": ForecastRef(an_id()),
        "symbol_key": BTC_1H,
        "candle": MONDAY,
        "close": 100.0,
        "horizons": horizons or (a_horizon_outlook(),),
        "feature_hash": "f" * 64,
        "data_first": MONDAY - 500 * HOUR,
        "data_last": MONDAY,
        "is_out_of_distribution": False,
    }
    return Outlook(**(fields | overrides))
