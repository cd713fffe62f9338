from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.market_data.csv_source import CsvCandleSource
from adapters.market_data.parquet_source import ParquetCandleSource
from adapters.market_data.replay import RecordedFeed, ReplayFeed
from adapters.market_data.simulated import SimulatedCandleSource, SimulatedFeed, SimulatedMarket
from adapters.market_data.sinks import CsvCandleSink, CsvRejectSink, ParquetCandleSink
from tests.integration.market_data.files import a_store, chunks, read
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.testing.builders import BTC_1H, MONDAY
from tradingcore.testing.market_data import CandleSinkContract, CandleSourceContract, MarketDataFeedContract, RejectSinkContract
from tradingcore.trading.ports import CandleSink, CandleSource, RejectedRow, RejectSink

MARKET = SimulatedMarket(seed=3)
ETH_15M = SeriesKey(SymbolCode("ETH/USDT"), Timeframe.M15)


class TestCandleSources(CandleSourceContract):
    @pytest.fixture
    def series(self) -> CandleSeries:
        return MARKET.candles(BTC_1H, MONDAY, MONDAY + timedelta(days=40))

    @pytest.fixture(params=[CsvCandleSource, ParquetCandleSource, SimulatedCandleSource])
    async def source(self, request: pytest.FixtureRequest, series: CandleSeries, tmp_path: Path) -> CandleSource:
        if request.param is SimulatedCandleSource:
            return SimulatedCandleSource(MARKET, MONDAY, MONDAY + timedelta(days=40))
        path = tmp_path / "candles"
        await (CsvCandleSink if request.param is CsvCandleSource else ParquetCandleSink)(path).write(series.key, chunks(series))
        source: CandleSource = request.param(path)
        return source


class TestCandleSinks(CandleSinkContract):
    @pytest.fixture(
        params=[(CsvCandleSink, "candles.csv"), (CsvCandleSink, "candles.csv.gz"), (ParquetCandleSink, "candles.parquet")]
    )
    def sink(self, request: pytest.FixtureRequest, tmp_path: Path) -> CandleSink:
        make: Callable[[Path], CandleSink] = request.param[0]
        self.path = tmp_path / request.param[1]
        return make(self.path)

    async def read_back(self, sink: CandleSink) -> list[Candle] | None:
        return (await read(self.path)).candles if self.path.exists() else None


class TestRejectSink(RejectSinkContract):
    @pytest.fixture
    def sink(self, tmp_path: Path) -> RejectSink:
        self.path = tmp_path / "rejects.csv"
        return CsvRejectSink(self.path)

    async def read_back(self, sink: RejectSink) -> list[RejectedRow]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return [RejectedRow(line=int(row["line"]), reason=row["reason"], text=row["row"]) for row in csv.DictReader(file)]


class TestFeeds(MarketDataFeedContract):
    @pytest.fixture
    def delivered(self) -> Mapping[SeriesKey, CandleSeries]:
        return {key: MARKET.candles(key, MONDAY, MONDAY + timedelta(days=3)) for key in (BTC_1H, ETH_15M)}

    @pytest.fixture(params=[ReplayFeed, SimulatedFeed])
    async def feed(self, request: pytest.FixtureRequest, delivered: Mapping[SeriesKey, CandleSeries]) -> RecordedFeed:
        starts = dict.fromkeys(delivered, MONDAY)
        if request.param is ReplayFeed:
            return ReplayFeed(await a_store(*delivered.values()), starts, source="simulated")
        return SimulatedFeed(MARKET, starts, stop=MONDAY + timedelta(days=3))
