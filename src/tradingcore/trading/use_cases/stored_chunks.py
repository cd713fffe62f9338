"""Reading a whole series with flat memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.trading.ports import CandleStore

CHUNK_CANDLES: Final = 50_000


async def stored_chunks(
    candles: CandleStore, key: SeriesKey, start: datetime | None, stop: datetime | None
) -> AsyncGenerator[CandleSeries, None]:
    """Read ``start <= open time < stop`` piece by piece, so that memory stays flat."""
    while True:
        chunk = await candles.between(key, start=start, stop=stop, limit=CHUNK_CANDLES)
        if len(chunk):
            yield chunk
        if len(chunk) < CHUNK_CANDLES:
            return
        start = key.timeframe.close_of(chunk.last_open_time)
