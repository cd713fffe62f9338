"""How signals, candles and stale series look on the wire: the JSON that subscribers get and that the HTTP API answers with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tradingcore.kernel.market import Candle, SeriesKey
from tradingcore.trading.model.signal import Signal


@lru_cache(8192)
def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC with ``Z``."""
    return at.astimezone(UTC).isoformat()[:-6] + "Z"


def decimal_text(value: Decimal) -> str:
    """All digits, never an exponent: ``0.00000012``, which ``str`` would write as ``1.2E-7``."""
    return format(value, "f")


def signal_on_the_wire(signal: Signal) -> dict[str, Any]:
    """A signal never travels without its status, its sample size and its interval. Decimals are written as by `decimal_text`."""
    return {
        "id": str(signal.id),
        "symbol": signal.symbol,
        "timeframe": signal.timeframe.value,
        "issued_at": rfc3339(signal.issued_at),
        "decision_candle": rfc3339(signal.decision_candle),
        "side": signal.side.value,
        "entry": f"{signal.entry:f}",
        "take_profit": f"{signal.take_profit:f}",
        "stop_loss": f"{signal.stop_loss:f}",
        "risk_reward": f"{signal.risk_reward:f}",
        "probability": signal.probability,
        "p_stop_loss": signal.p_stop_loss,
        "p_time": signal.p_time,
        "expected_value_r": signal.expected_value_r,
        "cost": signal.cost,
        "horizon": signal.horizon,
        "predicted_high": f"{signal.predicted_high:f}",
        "predicted_low": f"{signal.predicted_low:f}",
        "interval": {
            "level": signal.interval_level,
            "coverage": signal.interval_coverage,
            "sample_size": signal.sample_size,
            "high": [f"{signal.predicted_high_low:f}", f"{signal.predicted_high_high:f}"],
            "low": [f"{signal.predicted_low_low:f}", f"{signal.predicted_low_high:f}"],
        },
        "expires_at": rfc3339(signal.expires_at),
        "model_version": signal.model_version,
        "model_version_id": str(signal.model_version_id),
        "forecast_id": str(signal.forecast_id),
        "feature_hash": signal.feature_hash,
        "data_range": [rfc3339(signal.data_first), rfc3339(signal.data_last)],
        "trace_id": signal.trace_id,
        "is_simulated": signal.is_simulated,
        "edge_status": signal.edge_status.value,
        "status": signal.status.value,
        "fill_price": signal.fill_price,
        "candles_seen": signal.candles_seen,
        "outcome_r": signal.outcome_r,
        "closed_at": None if signal.closed_at is None else rfc3339(signal.closed_at),
    }


def candle_on_the_wire(key: SeriesKey, candle: Candle, *, source: str) -> dict[str, Any]:
    return {
        "symbol": key.symbol,
        "timeframe": key.timeframe.value,
        "open_time": rfc3339(candle.open_time),
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "volume": candle.volume,
        "closed": True,
        "source": source,
    }
