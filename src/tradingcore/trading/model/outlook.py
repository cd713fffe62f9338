"""What trading needs to know of a forecast: the numbers that a decision is made of. The models themselves belong to `ml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tradingcore.kernel.market import SeriesKey
from tradingcore.trading.ids import ForecastRef, ModelVersionRef


class Side(StrEnum):
    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierOutlook:
    """Calibrated probabilities for one side and one pair of barriers, ``k`` in units of ``HorizonOutlook.unit``.

    ``mean_time_return`` is the mean log return of the position when time runs out, seen in training.
    """

    side: Side
    k_take_profit: float
    k_stop_loss: float
    p_take_profit: float
    p_stop_loss: float
    p_time: float
    mean_time_return: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonOutlook:
    """The coming ``horizon`` candles by one model version. Deltas are log returns from the close: (q10, median, q90)."""

    horizon: int
    model_version_id: ModelVersionRef
    model_version: str
    delta_high: tuple[float, ...]
    delta_low: tuple[float, ...]
    unit: float
    barriers: tuple[BarrierOutlook, ...]
    interval_level: float
    interval_coverage: float
    sample_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One forecast: every horizon of one decision candle."""

    forecast_id: ForecastRef
    symbol_key: SeriesKey
    candle: datetime
    close: float
    horizons: tuple[HorizonOutlook, ...]
    feature_hash: str
    data_first: datetime
    data_last: datetime
    is_out_of_distribution: bool
