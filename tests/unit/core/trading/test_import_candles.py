from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import InvalidInput, PermissionDenied
from tradingcore.kernel.market import AssetClass, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC_1H, MONDAY, a_candle, a_series, an_actor, an_id
from tradingcore.testing.fakes import FakeClock, SequentialIds
from tradingcore.trading.errors import CandleFileUnreadable, SymbolNotFound
from tradingcore.trading.ports import CandleChunk, CandleSource, RejectedRow, RejectSink
from tradingcore.trading.quality import Suspicion
from tradingcore.trading.use_cases.import_candles import ImportCandles, ImportCandlesCommand, ImportProgress, ImportReport


@dataclass
class Chunks(CandleSource):
    """A source of given chunks, that may break at the end."""

    parts: Sequence[CandleChunk]
    error: Exception | None = None
    is_closed: bool = False

    @property
    def size_bytes(self) -> int | None:
        return 10 * len(self.parts)

    async def chunks(self, key: SeriesKey) -> AsyncIterator[CandleChunk]:
        try:
            for part in self.parts:
                yield part
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


class Rejects(RejectSink):
    def __init__(self) -> None:
        self.rows: list[RejectedRow] = []

    async def reject(self, rows: Sequence[RejectedRow]) -> None:
        self.rows.extend(rows)


class Market:
    def __init__(self) -> None:
        self.database = MemoryDatabase(FakeClock())
        self.candles = MemoryCandleStore(self.database)
        self.queries = MemoryTradingQueries(self.database)
        self.imports = ImportCandles(uow=MemoryTradingUnits(self.database, SequentialIds()), candles=self.candles)

    async def take(self, source: CandleSource, key: SeriesKey = BTC_1H, **options: object) -> ImportReport:
        return await self.imports(an_actor(), ImportCandlesCommand(key=key, source=source, **options))  # type: ignore[arg-type]  # keywords of the command


@pytest.fixture
def market() -> Market:
    return Market()


def a_chunk(candles: CandleSeries, *rejected: RejectedRow) -> CandleChunk:
    return CandleChunk(candles=candles, rejected=rejected, rows_read=len(candles) + len(rejected), bytes_read=10)


def a_file(count: int = 100, **overrides: object) -> Chunks:
    series = a_series(count)
    return Chunks([a_chunk(series.slice(0, 40)), a_chunk(series.slice(40, count))], **overrides)  # type: ignore[arg-type]  # fields of the class


async def test_file_is_stored_and_its_symbol_is_made(market: Market) -> None:
    report = await market.take(a_file())
    assert (report.rows_read, report.counts.inserted, report.rejected) == (100, 100, 0)
    assert report.symbol_created
    assert report.symbol.asset_class is AssetClass.CRYPTO
    assert report.is_clean
    assert (report.first, report.last) == (MONDAY, MONDAY + timedelta(hours=99))
    assert len(await market.candles.between(BTC_1H)) == 100


async def test_same_file_twice_changes_nothing(market: Market) -> None:
    await market.take(a_file())
    report = await market.take(a_file())
    assert (report.counts.inserted, report.counts.unchanged, report.counts.changed, report.counts.differing) == (0, 100, 0, 0)
    assert not report.symbol_created
    assert report.is_clean


async def test_differing_candle_is_refused_unless_it_may_replace(market: Market) -> None:
    await market.take(a_file())
    other = CandleSeries.of(BTC_1H, [a_candle(MONDAY, close=555.0), a_candle(MONDAY + timedelta(hours=200))])
    report = await market.take(Chunks([a_chunk(other)]))
    assert (report.counts.differing, report.counts.inserted) == (1, 1)
    assert report.counts.first_differing == (MONDAY,)
    assert not report.is_clean
    assert (await market.candles.between(BTC_1H, limit=1))[0].close == 100.0
    report = await market.take(Chunks([a_chunk(other)]), replace=True)
    assert (report.counts.changed, report.counts.unchanged) == (1, 1)
    assert (await market.candles.between(BTC_1H, limit=1))[0].close == 555.0


@pytest.mark.parametrize("replace", [False, True])
async def test_dry_run_counts_as_the_import_would_and_stores_nothing(market: Market, replace: bool) -> None:
    report = await market.take(a_file(), dry_run=True)
    assert (report.counts.inserted, report.symbol_created) == (100, False)
    with pytest.raises(SymbolNotFound):
        await market.queries.get_symbol(BTC_1H.symbol)
    await market.take(a_file(50))
    mixed = CandleSeries.of(BTC_1H, [a_candle(MONDAY, close=555.0), *a_series(60).slice(1, 60)])
    expected = await market.take(Chunks([a_chunk(mixed)]), dry_run=True, replace=replace)
    assert len(await market.candles.between(BTC_1H)) == 50
    assert (await market.take(Chunks([a_chunk(mixed)]), replace=replace)).counts == expected.counts


async def test_bad_rows_never_lose_the_good_ones(market: Market) -> None:
    bad = [RejectedRow(line=number, reason="high 1 is below low 2", text="...") for number in range(2, 52)]
    sink = Rejects()
    source = Chunks([a_chunk(a_series(30), *bad[:30]), a_chunk(a_series(30, first=MONDAY + timedelta(hours=30)), *bad[30:])])
    report = await market.take(source, rejects=sink)
    assert (report.rows_read, report.counts.inserted, report.rejected) == (110, 60, 50)
    assert report.first_rejected == tuple(bad[:20])
    assert sink.rows == bad
    assert not report.is_clean


async def test_source_that_breaks_half_way_leaves_no_candle(market: Market) -> None:
    source = a_file(error=CandleFileUnreadable("truncated"))
    with pytest.raises(CandleFileUnreadable):
        await market.take(source)
    assert await market.candles.extent(BTC_1H) is None
    assert source.is_closed


async def test_source_that_cannot_be_read_makes_no_symbol(market: Market) -> None:
    with pytest.raises(CandleFileUnreadable):
        await market.take(Chunks([], error=CandleFileUnreadable("empty")))
    with pytest.raises(SymbolNotFound):
        await market.queries.get_symbol(BTC_1H.symbol)


async def test_file_of_bad_rows_only_makes_no_symbol_and_is_reported(market: Market) -> None:
    row = RejectedRow(line=2, reason="close is not a number", text="x")
    report = await market.take(Chunks([a_chunk(a_series(0), row)]))
    assert (report.rejected, report.counts.inserted, report.symbol_created, report.first) == (1, 0, False, None)
    with pytest.raises(SymbolNotFound):
        await market.queries.get_symbol(BTC_1H.symbol)


async def test_given_asset_class_decides_for_a_new_symbol_and_must_fit_an_old_one(market: Market) -> None:
    key = SeriesKey(SymbolCode("GOLD"), Timeframe.H1)
    report = await market.take(Chunks([a_chunk(a_series(5, key=key))]), key=key, asset_class=AssetClass.METAL)
    assert report.symbol.asset_class is AssetClass.METAL
    with pytest.raises(InvalidInput, match="GOLD is stored as metal"):
        await market.take(Chunks([a_chunk(a_series(5, key=key))]), key=key, asset_class=AssetClass.FX)


async def test_report_tells_gaps_and_suspicious_rows(market: Market) -> None:
    series = CandleSeries.of(BTC_1H, [candle for candle in a_series(50) if candle.open_time != MONDAY + timedelta(hours=7)])
    flat = a_candle(MONDAY + timedelta(hours=60), volume=0.0)
    report = await market.take(Chunks([a_chunk(series), a_chunk(CandleSeries.of(BTC_1H, [flat]))]))
    assert [(gap.first, gap.missing) for gap in report.gaps.gaps] == [
        (MONDAY + timedelta(hours=7), 1),
        (MONDAY + timedelta(hours=50), 10),
    ]
    assert report.quality.counts == {Suspicion.ZERO_VOLUME: 1}


async def test_progress_is_told_after_each_chunk(market: Market) -> None:
    told: list[ImportProgress] = []
    await market.take(a_file(), on_progress=told.append)
    assert [(progress.rows_read, progress.bytes_read, progress.size_bytes) for progress in told] == [(40, 10, 20), (100, 20, 20)]


async def test_trader_may_not_import(market: Market) -> None:
    trader = Actor.of_user(
        trace_id=TraceId("0" * 32), user_id=UserId(an_id()), roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="trader"
    )
    with pytest.raises(PermissionDenied):
        await market.imports(trader, ImportCandlesCommand(key=BTC_1H, source=a_file()))
