"""A market that does not exist, for demonstrations and tests. Everything that comes from it is labelled ``simulated``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from adapters.market_data.replay import CHUNK_CANDLES, RecordedFeed
from adapters.market_data.simulated_process import ORIGIN, WEEK, WEEK_MS, Floats, Integers, Minutes, PriceProcess
from adapters.market_data.simulated_profiles import MarketProfile, profile_of
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import CandleSeries, SeriesKey, SymbolCode, Timeframe, to_milliseconds
from tradingcore.kernel.ports import Clock
from tradingcore.trading.ports import CandleChunk, CandleSource
from tradingcore.trading.symbol_defaults import DEFAULTS, default_tick

SIMULATED: Final = "simulated"


class SimulatedMarket:
    """Seeded candles of any symbol, timeframe and span since `ORIGIN`.

    The same seed gives the same candles in every process, whatever was asked for before, and asking for more changes none of them.
    All timeframes of a symbol show the same prices: each is made of the same minutes. Symbols are independent of each other.
    """

    def __init__(self, *, seed: int = 1) -> None:
        self._seed = seed
        self._processes: dict[SymbolCode, PriceProcess] = {}

    def candles(self, key: SeriesKey, start: datetime, stop: datetime) -> CandleSeries:
        """Candles with ``start <= open time < stop``. Raises `InvalidInput` for a start before `ORIGIN`."""
        if start < ORIGIN:
            raise InvalidInput(f"simulated markets begin on {ORIGIN:%Y-%m-%d}, was asked for {start.isoformat()}")
        weeks = [self._week(key, index) for index in range((start - ORIGIN) // WEEK, -((ORIGIN - stop) // WEEK))]
        if not weeks:
            return CandleSeries.of(key, ())
        times, *prices = (np.concatenate(column) for column in zip(*weeks, strict=True))
        first, last = np.searchsorted(times, [to_milliseconds(start), to_milliseconds(stop)])
        return CandleSeries.from_columns(key, *(column[first:last].data for column in (times, *prices)))

    def _week(self, key: SeriesKey, index: int) -> tuple[Integers, Floats, Floats, Floats, Floats, Floats]:
        profile = profile_of(key.symbol)
        process = self._processes.get(key.symbol)
        if process is None:
            calendar = DEFAULTS[profile.asset_class].calendar
            process = self._processes[key.symbol] = PriceProcess(key.symbol, self._seed, profile, calendar)
        return _joined(process.week(index), key, profile)


def _joined(minutes: Minutes, key: SeriesKey, profile: MarketProfile) -> tuple[Integers, Floats, Floats, Floats, Floats, Floats]:
    step = key.timeframe.milliseconds
    if not len(minutes.open_times):
        empty = np.zeros(0)
        return minutes.open_times, empty, empty, empty, empty, empty
    # Weeks begin on Monday 00:00 UTC, so no candle of any timeframe lies in two of them.
    origin = to_milliseconds(ORIGIN) % WEEK_MS if key.timeframe is Timeframe.W1 else 0
    buckets = (minutes.open_times - origin) // step
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    ends = np.append(starts[1:], len(buckets)) - 1
    tick = default_tick(key.symbol, profile.asset_class, profile.price)
    digits, smallest = -int(tick.as_tuple().exponent), float(tick)

    def on_tick(logarithms: Floats) -> Floats:
        # Rounding keeps the order of open, high, low and close, and hides the last bit of exp.
        rounded: Floats = np.maximum(np.round(np.exp(logarithms), digits), smallest)
        return rounded

    volume = np.round(np.add.reduceat(minutes.volume, starts), profile.volume_digits)
    return (
        buckets[starts] * step + origin,
        on_tick(minutes.open[starts]),
        on_tick(np.maximum.reduceat(minutes.high, starts)),
        on_tick(np.minimum.reduceat(minutes.low, starts)),
        on_tick(minutes.close[ends]),
        np.maximum(volume, 10.0**-profile.volume_digits),
    )


class SimulatedCandleSource(CandleSource):
    """A span of a simulated market as a source for an import. ``start`` and ``stop`` bound open times."""

    def __init__(self, market: SimulatedMarket, start: datetime, stop: datetime) -> None:
        self._market = market
        self._start = start
        self._stop = stop

    @property
    def size_bytes(self) -> int | None:
        return None

    async def chunks(self, key: SeriesKey) -> AsyncIterator[CandleChunk]:
        for start, stop in _pieces(key, self._start, self._stop):
            candles = await asyncio.to_thread(self._market.candles, key, start, stop)
            if len(candles):
                yield CandleChunk(candles=candles, rows_read=len(candles))


def _pieces(key: SeriesKey, start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    # Few enough candles to be light, whole weeks so that none is computed twice.
    weeks = max(1, 20_000 * key.timeframe.duration // WEEK)
    length = weeks * WEEK
    while start < stop:
        end = min(ORIGIN + ((start - ORIGIN) // WEEK) * WEEK + length, stop)
        yield start, end
        start = end


class SimulatedFeed(RecordedFeed):
    """A simulated market as it goes on: for ever, or until ``stop``.

    As fast as it is taken, at ``candles_per_second``, or with ``clock`` in real time after the past was caught up with.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        series: Mapping[SeriesKey, datetime],
        *,
        stop: datetime | None = None,
        candles_per_second: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(series, source=SIMULATED, stop=stop, candles_per_second=candles_per_second, clock=clock)
        self._market = market

    async def _read(self, key: SeriesKey, start: datetime, stop: datetime | None) -> CandleSeries:
        # Closures are shorter than the chunk, so an empty chunk means the end.
        end = start + max(CHUNK_CANDLES // 4 * key.timeframe.duration, timedelta(weeks=2))
        return await asyncio.to_thread(self._market.candles, key, start, end if stop is None else min(end, stop))
