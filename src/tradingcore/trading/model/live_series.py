"""A watched series: how far the live path has come, so that no candle is taken twice and no gap goes unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.market import Candle, SeriesKey
from tradingcore.trading.events import CandleClosed, SeriesWentStale


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeries(Aggregate):
    """``last_closed`` is the open time of the newest candle that went through the live path."""

    key: SeriesKey
    source: str
    last_closed: datetime | None = None
    freshness: Freshness = Freshness.FRESH

    def has_passed(self, open_time: datetime) -> bool:
        """Whether this candle, or a later one, went through already."""
        return self.last_closed is not None and open_time <= self.last_closed

    def closed(self, candle: Candle, *, source: str, received_at: datetime, missing_candles: int) -> LiveSeries:
        """Take the next candle and announce it."""
        return replace(self, last_closed=candle.open_time, freshness=Freshness.FRESH, source=source).announcing(
            CandleClosed(
                occurred_at=received_at,
                symbol=self.key.symbol,
                timeframe=self.key.timeframe,
                candle=candle,
                source=source,
                missing_candles=missing_candles,
            )
        )

    def went_stale(self, *, at: datetime) -> LiveSeries:
        """Announce once that no candle came when one was due."""
        if self.freshness is Freshness.STALE or self.last_closed is None:
            return self
        return replace(self, freshness=Freshness.STALE).announcing(
            SeriesWentStale(
                occurred_at=at,
                symbol=self.key.symbol,
                timeframe=self.key.timeframe,
                last_closed=self.last_closed,
            )
        )
