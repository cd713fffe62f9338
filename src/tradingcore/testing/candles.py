"""The contract of a candle store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.builders import BTC, BTC_1H, HOUR, MONDAY, a_candle, a_series, a_symbol, an_actor, candles
from tradingcore.testing.unit_of_work import Abandoned
from tradingcore.trading.errors import SymbolNotFound
from tradingcore.trading.ports import CandleStore, MergeCounts, SeriesExtent, TradingUnitOfWork

BTC_5M = SeriesKey(BTC, Timeframe.M5)


async def in_chunks(*chunks: CandleSeries | Sequence[Candle], key: SeriesKey = BTC_1H) -> AsyncIterator[CandleSeries]:
    """What `CandleStore.merge` takes."""
    for chunk in chunks:
        yield chunk if isinstance(chunk, CandleSeries) else CandleSeries.of(key, chunk)


async def _breaking_after(chunk: CandleSeries) -> AsyncIterator[CandleSeries]:
    yield chunk
    raise Abandoned


def counts(**expected: Any) -> MergeCounts:
    zero: dict[str, Any] = {"inserted": 0, "unchanged": 0, "changed": 0, "differing": 0, "first_differing": ()}
    return MergeCounts(**(zero | expected))


@pytest.mark.asyncio
class CandleStoreContract:
    """Fixtures: ``store`` (empty) and ``units``, the `TradingUnitOfWork` factory on the same rows."""

    @pytest.fixture
    def store(self) -> CandleStore:
        raise NotImplementedError("supply the store under test")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[TradingUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same database")

    @pytest.fixture(autouse=True)
    async def _symbols(self, units: UnitOfWorkFactory[TradingUnitOfWork]) -> None:
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.symbols.save(a_symbol("AAPL"))

    async def test_merged_candles_are_read_back_bit_for_bit(self, store: CandleStore) -> None:
        odd = [a_candle(close=0.1 + 0.2 + 9.0), a_candle(MONDAY + HOUR, close=1e12 / 3, volume=0.0)]
        assert await store.merge(BTC_1H, in_chunks(odd), replace=False) == counts(inserted=2)
        read = await store.between(BTC_1H)
        assert (read.key, list(read)) == (BTC_1H, odd)
        assert (read.open_times.format, read.close.format, read.close.readonly) in (("q", "d", True), ("l", "d", True))

    async def test_window_holds_the_last_candles_up_to_a_time(self, store: CandleStore) -> None:
        ten = candles(10)
        await store.merge(BTC_1H, in_chunks(ten), replace=False)
        assert list(await store.window(BTC_1H, last=ten[6].open_time, count=3)) == ten[4:7]
        assert list(await store.window(BTC_1H, last=ten[6].open_time + HOUR / 2, count=3)) == ten[4:7]
        assert list(await store.window(BTC_1H, last=ten[1].open_time, count=5)) == ten[:2]
        assert list(await store.window(BTC_1H, last=MONDAY - HOUR, count=5)) == []

    async def test_between_is_half_open_and_limited(self, store: CandleStore) -> None:
        ten = candles(10)
        await store.merge(BTC_1H, in_chunks(ten), replace=False)
        assert list(await store.between(BTC_1H, start=ten[2].open_time, stop=ten[5].open_time)) == ten[2:5]
        assert list(await store.between(BTC_1H, start=ten[2].open_time, limit=2)) == ten[2:4]
        assert list(await store.between(BTC_1H, stop=ten[2].open_time)) == ten[:2]
        assert list(await store.between(BTC_1H, start=ten[9].open_time + HOUR)) == []
        assert list(await store.between(BTC_1H, start=ten[5].open_time, stop=ten[2].open_time)) == []

    async def test_series_do_not_mix(self, store: CandleStore) -> None:
        apple = SeriesKey(SymbolCode("AAPL"), Timeframe.H1)
        for key, count in ((BTC_1H, 3), (BTC_5M, 4), (apple, 5)):
            await store.merge(key, in_chunks(a_series(count, key=key)), replace=False)
        assert [len(await store.between(key)) for key in (BTC_1H, BTC_5M, apple)] == [3, 4, 5]
        extents = await store.list_extents()
        assert [(extent.key, extent.count) for extent in extents] == [(apple, 5), (BTC_5M, 4), (BTC_1H, 3)]
        assert extents[2] == await store.extent(BTC_1H)
        assert extents[2] == SeriesExtent(key=BTC_1H, count=3, first=MONDAY, last=MONDAY + 2 * HOUR)

    async def test_nothing_stored_reads_as_nothing(self, store: CandleStore) -> None:
        unknown = SeriesKey(SymbolCode("NO/SUCH"), Timeframe.H1)
        for key in (BTC_1H, unknown):
            assert await store.extent(key) is None
            assert len(await store.between(key)) == 0
            assert len(await store.window(key, last=MONDAY, count=5)) == 0
        assert not await store.list_extents()

    async def test_unknown_symbol_is_refused(self, store: CandleStore) -> None:
        unknown = SeriesKey(SymbolCode("NO/SUCH"), Timeframe.H1)
        with pytest.raises(SymbolNotFound, match="NO/SUCH"):
            await store.merge(unknown, in_chunks(a_series(1, key=unknown)), replace=False)

    async def test_same_candles_twice_change_nothing(self, store: CandleStore) -> None:
        day = a_series(24)
        await store.merge(BTC_1H, in_chunks(day.slice(0, 10), day.slice(10, 24)), replace=False)
        assert await store.merge(BTC_1H, in_chunks(day.slice(0, 7), day.slice(7, 24)), replace=True) == counts(unchanged=24)
        assert list(await store.between(BTC_1H)) == list(day)

    async def test_differing_candles_are_left_and_named(self, store: CandleStore) -> None:
        await store.merge(BTC_1H, in_chunks(candles(30)), replace=False)
        others = candles(32, close=200.0)
        result = await store.merge(BTC_1H, in_chunks(others[:16], others[16:]), replace=False)
        named = tuple(candle.open_time for candle in others[:20])
        assert result == counts(inserted=2, differing=30, first_differing=named)
        assert list(await store.between(BTC_1H)) == [*candles(30), *others[30:]]

    async def test_differing_candles_are_replaced_on_demand(self, store: CandleStore) -> None:
        await store.merge(BTC_1H, in_chunks(candles(4)), replace=False)
        before = await store.between(BTC_1H)
        fixed = a_candle(MONDAY + HOUR, close=77.0)
        result = await store.merge(BTC_1H, in_chunks([candles(4)[0], fixed]), replace=True)
        assert (result.inserted, result.unchanged, result.changed, result.differing) == (0, 1, 1, 0)
        assert [candle.close for candle in await store.between(BTC_1H)] == [100.0, 77.0, 100.5, 100.75]
        assert [candle.close for candle in before] == [100.0, 100.25, 100.5, 100.75], "what was read before must not change"

    async def test_older_candles_and_gaps_are_filled_in_order(self, store: CandleStore) -> None:
        ten = candles(10)
        await store.merge(BTC_1H, in_chunks(ten[4:6]), replace=False)
        result = await store.merge(BTC_1H, in_chunks(ten[8:], ten[:3], ten[3:8]), replace=False)
        assert result == counts(inserted=8, unchanged=2)
        assert list(await store.between(BTC_1H)) == ten

    async def test_last_candle_of_a_time_wins_within_one_merge(self, store: CandleStore) -> None:
        first, second = candles(4), [a_candle(MONDAY + 2 * HOUR, close=55.0), a_candle(MONDAY + 4 * HOUR, close=56.0)]
        third = [a_candle(MONDAY + 2 * HOUR, close=66.0)]
        assert await store.merge(BTC_1H, in_chunks(first, second, third), replace=False) == counts(inserted=5)
        assert [candle.close for candle in await store.between(BTC_1H)] == [100.0, 100.25, 66.0, 100.75, 56.0]

    async def test_repeated_candle_is_counted_once(self, store: CandleStore) -> None:
        await store.merge(BTC_1H, in_chunks(candles(3)), replace=False)
        wrong, right = a_candle(MONDAY, close=55.0), candles(3)[0]
        assert await store.merge(BTC_1H, in_chunks([wrong], [right], [right]), replace=True) == counts(unchanged=1)
        assert list(await store.between(BTC_1H)) == candles(3)

    async def test_nothing_is_kept_when_the_source_breaks(self, store: CandleStore) -> None:
        await store.merge(BTC_1H, in_chunks(candles(2)), replace=False)
        for first in (MONDAY, MONDAY + 5 * HOUR):
            with pytest.raises(Abandoned):
                await store.merge(BTC_1H, _breaking_after(a_series(5, first=first)), replace=True)
        assert list(await store.between(BTC_1H)) == candles(2)

    async def test_no_chunks_are_no_change(self, store: CandleStore) -> None:
        assert await store.merge(BTC_1H, in_chunks(), replace=False) == counts()
        assert await store.merge(BTC_1H, in_chunks([]), replace=False) == counts()

    async def test_live_candles_and_merged_ones_are_one_series(
        self, store: CandleStore, units: UnitOfWorkFactory[TradingUnitOfWork]
    ) -> None:
        four = candles(4)
        await store.merge(BTC_1H, in_chunks(four[:2]), replace=False)
        view = await store.window(BTC_1H, last=MONDAY + 9 * HOUR, count=9)
        async with units(an_actor()) as unit:
            await unit.candles.append(BTC_1H, four[2:3])
        assert await store.merge(BTC_1H, in_chunks(four[1:]), replace=False) == counts(inserted=1, unchanged=2)
        assert list(await store.between(BTC_1H)) == four
        assert list(view) == four[:2]
