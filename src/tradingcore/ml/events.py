"""Facts of the ml context. All events of one series share an ordering key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.market import Candle, SymbolCode, Timeframe
from tradingcore.ml.ids import ForecastId
from tradingcore.ml.model.forecast import ForecastFault, HorizonForecast


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastMade(DomainEvent):
    """A forecast is stored. ``occurred_at`` is on the feed's clock; candle, source and gaps come from the candle's event."""

    type: ClassVar[str] = "ml.forecast_made"
    symbol: SymbolCode
    timeframe: Timeframe
    candle: Candle
    source: str
    missing_candles: int
    forecast_id: ForecastId
    feature_hash: str
    data_first: datetime
    data_last: datetime
    horizons: tuple[HorizonForecast, ...]

    @property
    def ordering_key(self) -> str:
        return f"{self.symbol}:{self.timeframe.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastNotMade(DomainEvent):
    """A candle closed and no forecast could be made of it; ``detail`` is a sentence."""

    type: ClassVar[str] = "ml.forecast_not_made"
    symbol: SymbolCode
    timeframe: Timeframe
    candle: Candle
    source: str
    missing_candles: int
    fault: ForecastFault
    detail: str

    @property
    def ordering_key(self) -> str:
        return f"{self.symbol}:{self.timeframe.value}"


EVENTS: tuple[type[DomainEvent], ...] = (ForecastMade, ForecastNotMade)
