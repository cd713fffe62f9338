from __future__ import annotations

from datetime import datetime

from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.ml.model.features import SeriesProfile
from tradingcore.ml.ports import MarketHistory
from tradingcore.trading.errors import CandlesNotFound
from tradingcore.trading.ports import CandleStore
from tradingcore.trading.queries import TradingQueries


class TradingMarketHistory(MarketHistory):
    """The ml context reads candles where trading keeps them."""

    __slots__ = ("_candles", "_queries")

    def __init__(self, *, queries: TradingQueries, candles: CandleStore) -> None:
        self._queries = queries
        self._candles = candles

    async def profile(self, key: SeriesKey) -> SeriesProfile:
        symbol = await self._queries.get_symbol(key.symbol)
        return SeriesProfile(key=key, asset_class=symbol.asset_class, calendar=symbol.calendar)

    async def window(self, key: SeriesKey, *, last: datetime, count: int) -> CandleSeries:
        return await self._candles.window(key, last=last, count=count)

    async def history(self, key: SeriesKey, *, stop: datetime | None = None) -> CandleSeries:
        series = await self._candles.between(key, stop=stop)
        if not len(series):
            raise CandlesNotFound(f"no candles of {key} are stored: import some with `tradingcore market import`")
        return series
