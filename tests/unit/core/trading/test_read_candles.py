"""Reading stored candles: windows, joined timeframes, gaps, exports, the list of symbols."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC, BTC_1H, MONDAY, a_series, a_symbol, an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.errors import CandlesNotFound, SymbolNotFound
from tradingcore.trading.ports import CandleSink
from tradingcore.trading.resampling import resample
from tradingcore.trading.use_cases.export_candles import ExportCandles, ExportCandlesCommand
from tradingcore.trading.use_cases.find_gaps import FindGaps, FindGapsCommand
from tradingcore.trading.use_cases.get_candles import CandleWindow, GetCandles, GetCandlesCommand
from tradingcore.trading.use_cases.list_symbols import ListSymbols, ListSymbolsCommand

HOUR = timedelta(hours=1)
UNKNOWN = SeriesKey(SymbolCode("NOPE"), Timeframe.H1)
BTC_1D = SeriesKey(BTC, Timeframe.D1)


class Kept(CandleSink):
    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.times: list[int] = []

    async def write(self, key: SeriesKey, chunks: AsyncIterator[CandleSeries]) -> int:
        async for chunk in chunks:
            self.sizes.append(len(chunk))
            self.times.extend(chunk.open_times)
        return sum(self.sizes)


class Market:
    def __init__(self) -> None:
        database = MemoryDatabase(FakeClock())
        self.units = MemoryTradingUnits(database, SequentialIds())
        self.candles = MemoryCandleStore(database)
        self.queries = MemoryTradingQueries(database)

    async def store(self, *parts: CandleSeries) -> None:
        async def chunks() -> AsyncIterator[CandleSeries]:
            for part in parts:
                yield part

        async with self.units(an_actor()) as unit:
            if await unit.symbols.find(BTC) is None:
                await unit.symbols.save(a_symbol())
        await self.candles.merge(parts[0].key, chunks(), replace=False)

    async def get(self, key: SeriesKey = BTC_1H, **options: object) -> CandleWindow:
        command = GetCandlesCommand(key=key, **options)  # type: ignore[arg-type]  # keywords of the command
        return await GetCandles(candles=self.candles, queries=self.queries)(an_actor(), command)


@pytest.fixture
async def market() -> Market:
    market = Market()
    await market.store(a_series(240))
    return market


def span(window: CandleWindow) -> tuple[datetime, datetime, int]:
    return window.series.first_open_time, window.series.last_open_time, len(window.series)


async def test_unknown_symbol_is_an_error_everywhere(market: Market) -> None:
    with pytest.raises(SymbolNotFound):
        await market.get(UNKNOWN)
    with pytest.raises(SymbolNotFound):
        await FindGaps(candles=market.candles, queries=market.queries)(an_actor(), FindGapsCommand(key=UNKNOWN))
    with pytest.raises(SymbolNotFound):
        await ExportCandles(candles=market.candles, queries=market.queries)(
            an_actor(), ExportCandlesCommand(key=UNKNOWN, sink=Kept())
        )


async def test_window_without_a_start_is_the_newest(market: Market) -> None:
    assert span(await market.get(limit=10)) == (MONDAY + 230 * HOUR, MONDAY + 239 * HOUR, 10)
    assert span(await market.get(limit=10, stop=MONDAY + 100 * HOUR)) == (MONDAY + 90 * HOUR, MONDAY + 99 * HOUR, 10)
    assert span(await market.get(limit=10, stop=MONDAY + 900 * HOUR)) == (MONDAY + 230 * HOUR, MONDAY + 239 * HOUR, 10)


async def test_window_with_a_start_is_the_oldest(market: Market) -> None:
    assert span(await market.get(limit=10, start=MONDAY + 5 * HOUR)) == (MONDAY + 5 * HOUR, MONDAY + 14 * HOUR, 10)
    assert span(await market.get(start=MONDAY + 5 * HOUR, stop=MONDAY + 8 * HOUR)) == (MONDAY + 5 * HOUR, MONDAY + 7 * HOUR, 3)


@pytest.mark.parametrize("limit", [0, 5001])
async def test_limit_is_bounded(limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit must be from 1 to 5000"):
        GetCandlesCommand(key=BTC_1H, limit=limit)


async def test_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidInput, match="from must be before to"):
        GetCandlesCommand(key=BTC_1H, start=MONDAY, stop=MONDAY)


async def test_timeframe_that_is_not_stored_is_joined_from_a_shorter_one_on_demand(market: Market) -> None:
    assert len((await market.get(BTC_1D)).series) == 0
    window = await market.get(BTC_1D, resample=True)
    assert window.joined_from is Timeframe.H1
    assert list(window.series) == list(resample(a_series(240), Timeframe.D1).series)
    assert window.incomplete == ()


async def test_joined_range_holds_whole_days_only(market: Market) -> None:
    window = await market.get(BTC_1D, resample=True, start=MONDAY + HOUR, stop=MONDAY + 50 * HOUR)
    assert span(window) == (MONDAY + 24 * HOUR, MONDAY + 48 * HOUR, 2)
    assert window.incomplete == ()
    newest = await market.get(BTC_1D, resample=True, limit=2)
    assert span(newest) == (MONDAY + 192 * HOUR, MONDAY + 216 * HOUR, 2)


async def test_newest_joined_candle_says_that_it_is_incomplete() -> None:
    market = Market()
    await market.store(a_series(50))
    window = await market.get(BTC_1D, resample=True, limit=2)
    assert span(window) == (MONDAY + 24 * HOUR, MONDAY + 48 * HOUR, 2)
    assert window.incomplete == (MONDAY + 48 * HOUR,)


async def test_nothing_stored_is_an_empty_window(market: Market) -> None:
    assert len((await market.get(SeriesKey(BTC, Timeframe.M1), resample=True)).series) == 0


async def test_joining_too_much_at_once_is_refused() -> None:
    market = Market()
    await market.store(a_series(10, key=SeriesKey(BTC, Timeframe.M1)))
    with pytest.raises(InvalidInput, match="ask for at most 49"):
        await market.get(SeriesKey(BTC, Timeframe.W1), resample=True, limit=500)


async def test_gaps_of_a_stored_series(market: Market) -> None:
    await market.store(a_series(10, first=MONDAY + 300 * HOUR))
    report = await FindGaps(candles=market.candles, queries=market.queries)(an_actor(), FindGapsCommand(key=BTC_1H))
    assert [(gap.first, gap.missing) for gap in report.gaps] == [(MONDAY + 240 * HOUR, 60)]
    assert report.candles == 250
    with pytest.raises(CandlesNotFound):
        await FindGaps(candles=market.candles, queries=market.queries)(an_actor(), FindGapsCommand(key=BTC_1D))


async def test_export_writes_a_range_in_chunks(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradingcore.trading.use_cases.stored_chunks.CHUNK_CANDLES", 70)
    sink = Kept()
    report = await ExportCandles(candles=market.candles, queries=market.queries)(
        an_actor(), ExportCandlesCommand(key=BTC_1H, sink=sink, start=MONDAY + 10 * HOUR, stop=MONDAY + 220 * HOUR)
    )
    assert report.written == 210
    assert sink.sizes == [70, 70, 70]
    assert sink.times == list(a_series(240).open_times)[10:220]


async def test_export_of_nothing_is_an_error(market: Market) -> None:
    with pytest.raises(CandlesNotFound):
        await ExportCandles(candles=market.candles, queries=market.queries)(
            an_actor(), ExportCandlesCommand(key=BTC_1D, sink=Kept())
        )


async def test_symbols_are_listed_with_what_is_stored(market: Market) -> None:
    await market.store(a_series(5, key=SeriesKey(BTC, Timeframe.M5)))
    (listed,) = await ListSymbols(candles=market.candles, queries=market.queries)(an_actor(), ListSymbolsCommand())
    assert listed.symbol.code == BTC
    assert [(extent.key.timeframe, extent.count) for extent in listed.series] == [(Timeframe.M5, 5), (Timeframe.H1, 240)]
