from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.candles import PostgresCandleStore
from adapters.postgres.connect import connected
from adapters.postgres.engine import transaction
from adapters.postgres.trading import PostgresTradingUnits
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import PermissionDenied, Unavailable
from tradingcore.kernel.market import CandleSeries
from tradingcore.testing.builders import BTC_1H, HOUR, MONDAY, a_series, a_symbol, an_actor
from tradingcore.testing.candles import counts, in_chunks
from tradingcore.testing.fakes import SequentialIds
from tradingcore.trading.events import EVENTS


@pytest_asyncio.fixture
async def store(worker_engine: AsyncEngine) -> PostgresCandleStore:
    async with PostgresTradingUnits(worker_engine, EventCodec(EVENTS), SequentialIds())(an_actor()) as unit:
        await unit.symbols.save(a_symbol())
    return PostgresCandleStore(worker_engine)


async def slowly(candles: CandleSeries, size: int) -> AsyncIterator[CandleSeries]:
    for start in range(0, len(candles), size):
        await asyncio.sleep(0.01)
        yield candles.slice(start, start + size)


async def test_two_imports_of_one_series_at_once_end_as_one(store: PostgresCandleStore) -> None:
    day = a_series(240)
    both = await asyncio.gather(*(store.merge(BTC_1H, slowly(day, 60), replace=False) for _ in range(2)))
    assert sorted(both, key=lambda one: one.inserted) == [counts(unchanged=240), counts(inserted=240)]
    assert list(await store.between(BTC_1H)) == list(day)


async def test_merge_leaves_the_staging_table_empty(store: PostgresCandleStore, worker_engine: AsyncEngine) -> None:
    for _ in range(2):
        await store.merge(BTC_1H, in_chunks(a_series(48)), replace=True)
    async with transaction(worker_engine, an_actor()) as connection:
        assert await connection.scalar(text("select count(*) from trading.candle_staging")) == 0


async def test_many_candles_come_back_in_order(store: PostgresCandleStore) -> None:
    many = a_series(5_000)
    await store.merge(BTC_1H, in_chunks(many.slice(2_500, 5_000), many.slice(0, 2_500)), replace=False)
    read = await store.window(BTC_1H, last=MONDAY + 4_999 * HOUR, count=4_000)
    assert (len(read), read.first_open_time) == (4_000, MONDAY + 1_000 * HOUR)
    for name in ("open_times", "open", "high", "low", "close", "volume"):
        assert getattr(read, name).tobytes() == getattr(many.slice(1_000, 5_000), name).tobytes(), name


async def test_database_that_goes_away_in_the_middle_keeps_nothing(store: PostgresCandleStore, database: TestDatabase) -> None:
    async def breaking() -> AsyncIterator[CandleSeries]:
        yield a_series(24)
        await _end_connections(database)
        yield a_series(24, first=MONDAY + 24 * HOUR)

    with pytest.raises(Unavailable):
        await store.merge(BTC_1H, breaking(), replace=False)
    assert await store.extent(BTC_1H) is None


async def _end_connections(database: TestDatabase) -> None:
    async with connected(database.administrator) as administrator:
        await administrator.fetch("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tc_worker'")


async def test_the_role_of_the_api_may_not_import(store: PostgresCandleStore, api_engine: AsyncEngine) -> None:
    with pytest.raises(PermissionDenied):
        await PostgresCandleStore(api_engine).merge(BTC_1H, in_chunks(a_series(1)), replace=False)
