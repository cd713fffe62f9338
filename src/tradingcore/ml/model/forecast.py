"""A forecast: what the models of a series say at the close of one candle, all horizons inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import inf, isfinite

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.ml.ids import BundleDigest, ForecastId, ModelVersionId


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The 10 %, 50 % and 90 % quantiles of a delta, log return, sorted; may be negative after a gap."""

    low: float
    median: float
    high: float

    def __post_init__(self) -> None:
        if not -inf < self.low <= self.median <= self.high < inf:
            raise InvalidInput(f"quantiles must be sorted and finite, were {self.low}, {self.median}, {self.high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierForecast:
    """Calibrated probabilities for one side (+1 long, -1 short) and one pair of barriers in units of ``HorizonForecast.unit``."""

    side: int
    k_take_profit: float
    k_stop_loss: float
    p_take_profit: float
    p_stop_loss: float
    p_time: float
    mean_time_return: float

    def __post_init__(self) -> None:
        for name in ("p_take_profit", "p_stop_loss", "p_time"):
            value: float = getattr(self, name)
            if not 0 <= value <= 1:
                raise InvalidInput(f"{name} must be a probability, was {value}")
        if not isfinite(self.mean_time_return):
            raise InvalidInput(f"mean_time_return must be a finite log return, was {self.mean_time_return}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonForecast:
    """One horizon by one model version. ``unit`` is u = s sqrt(h), log return.

    ``interval_level`` is nominal, ``interval_coverage`` was measured out of sample on ``sample_size`` candles.
    """

    horizon: int
    model_version_id: ModelVersionId
    model_version: str
    bundle_sha256: BundleDigest
    delta_high: Quantiles
    delta_low: Quantiles
    mean_high: float
    mean_low: float
    unit: float
    barriers: tuple[BarrierForecast, ...]
    interval_level: float
    interval_coverage: float
    sample_size: int
    served_by: str
    """``ensemble`` or ``har_w``."""
    is_out_of_distribution: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.unit < inf:
            raise InvalidInput(f"the barrier unit must be a finite log return, zero or more, was {self.unit}")


class ForecastFault(StrEnum):
    """Why there is no forecast for a candle."""

    MODEL_NOT_APPROVED = "model_not_approved"
    NOT_ENOUGH_HISTORY = "not_enough_history"
    MODEL_UNUSABLE = "model_unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast(Aggregate):
    """One per (symbol, timeframe, candle). ``feature_hash`` covers the rows of all horizons; ``rows`` holds them, float32 bytes.

    ``data_first`` and ``data_last`` are the open times of the first and the last candle that the numbers are a function of.
    """

    id: ForecastId
    symbol: SymbolCode
    timeframe: Timeframe
    candle: datetime
    made_at: datetime
    close: float
    atr: float
    feature_hash: str
    data_first: datetime
    data_last: datetime
    horizons: tuple[HorizonForecast, ...]
    rows: tuple[bytes, ...]
    trace_id: TraceId
