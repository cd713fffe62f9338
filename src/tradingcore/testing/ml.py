"""Contracts of the ml context's storage."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.page import PageRequest
from tradingcore.kernel.ports import Outbox, UnitOfWorkFactory
from tradingcore.ml.errors import BlobNotFound, ForecastNotFound, ModelNotFound
from tradingcore.ml.events import ForecastMade, ForecastNotMade
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import Forecast, ForecastFault
from tradingcore.ml.ports import BlobStore, MlUnitOfWork
from tradingcore.ml.queries import MlQueries
from tradingcore.testing.builders import (
    BTC,
    BTC_1H,
    HOUR,
    MONDAY,
    a_candle,
    a_digest,
    a_forecast,
    a_horizon_forecast,
    a_model,
    a_model_version,
    an_actor,
)
from tradingcore.testing.paging import assert_pages_walk
from tradingcore.testing.unit_of_work import AT_A_TIME, LEASE, UnitOfWorkContract, outcomes

Units = UnitOfWorkFactory[MlUnitOfWork]


def _announced(forecast: Forecast) -> Forecast:
    return forecast.announcing(
        ForecastMade(
            occurred_at=forecast.made_at,
            symbol=forecast.symbol,
            timeframe=forecast.timeframe,
            candle=a_candle(forecast.candle),
            source="test",
            missing_candles=0,
            forecast_id=forecast.id,
            feature_hash=forecast.feature_hash,
            data_first=forecast.data_first,
            data_last=forecast.data_last,
            horizons=forecast.horizons,
        )
    )


@pytest.mark.asyncio
class MlUnitOfWorkContract(UnitOfWorkContract[MlUnitOfWork]):
    """Fixtures: ``units``, ``outbox`` and ``queries`` on one empty store."""

    @pytest.fixture
    def queries(self) -> MlQueries:
        raise NotImplementedError("supply the queries of the same database")

    async def write(self, unit: MlUnitOfWork, number: int) -> None:
        symbol = SymbolCode(f"T{number}/USD")
        await unit.models.save(a_model(horizon=number + 1))
        await unit.forecasts.save(_announced(a_forecast(symbol=symbol)))

    async def written(self, unit: MlUnitOfWork) -> int:
        return sum([await unit.models.find(BTC_1H, number + 1) is not None for number in range(32)])

    async def read(self, unit: MlUnitOfWork, number: int) -> Any:
        return await unit.models.find(BTC_1H, number + 1)

    async def save(self, unit: MlUnitOfWork, aggregate: Any) -> Any:
        return await unit.models.save(aggregate)

    async def test_model_and_version_round_trip(self, units: Units, queries: MlQueries) -> None:
        model = a_model()
        version = a_model_version(model)
        async with units(an_actor()) as unit:
            saved_model = await unit.models.save(model)
            saved = await unit.models.add_version(version)
            crowned = await unit.models.save(replace(saved_model, champion_id=version.id))
        view = await queries.get_model(model.id)
        assert view.model == crowned == replace(model, version=2, champion_id=version.id)
        assert list(view.versions) == [saved]
        assert saved == replace(version, version=1)
        assert view.champion == saved == await queries.get_version(version.id)

    async def test_second_model_of_one_question_is_refused(self, units: Units) -> None:
        async with units(an_actor()) as unit:
            await unit.models.save(a_model())
        with pytest.raises(StaleVersion):
            async with units(an_actor()) as unit:
                await unit.models.save(a_model())

    async def test_version_numbers_count_up_and_are_taken_once(self, units: Units) -> None:
        model = a_model()
        async with units(an_actor()) as unit:
            await unit.models.save(model)
            assert await unit.models.next_number(model.id) == 1
            await unit.models.add_version(a_model_version(model, number=1))
            await unit.models.add_version(a_model_version(model, number=2))
            assert await unit.models.next_number(model.id) == 3

        async def add() -> None:
            async with units(an_actor()) as unit:
                await unit.models.add_version(a_model_version(model, number=3))
                await asyncio.sleep(0)

        won, errors = await outcomes(*(add() for _ in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {StaleVersion})

    async def test_forecast_round_trip_bit_for_bit(self, units: Units, queries: MlQueries, outbox: Outbox) -> None:
        forecast = a_forecast(close=0.1 + 0.2, atr=1 / 3, horizons=(a_horizon_forecast(mean_high=-0.0, mean_low=5e-324),))
        announced = _announced(forecast)
        async with units(an_actor()) as unit:
            saved = await unit.forecasts.save(announced)
        assert saved == replace(forecast, version=1)
        read = await queries.get_forecast(forecast.id)
        assert read == saved
        assert repr(read.horizons) == repr(saved.horizons), "-0.0 equals 0.0 and is not the same"
        assert await queries.find_forecast(BTC_1H, MONDAY) == saved
        assert await queries.find_forecast(BTC_1H, MONDAY + HOUR) is None
        (claimed,) = await outbox.claim(limit=10, lease=LEASE)
        assert (claimed.recorded.event,) == announced.pending_events

    async def test_of_concurrent_forecasts_of_one_candle_one_wins(self, units: Units, outbox: Outbox) -> None:
        async def save() -> None:
            async with units(an_actor()) as unit:
                await unit.forecasts.save(_announced(a_forecast()))
                await asyncio.sleep(0)

        won, errors = await outcomes(*(save() for _ in range(AT_A_TIME)))
        assert (won, {type(error) for error in errors}) == (1, {StaleVersion})
        assert len(await outbox.claim(limit=20, lease=LEASE)) == 1
        assert (await outbox.status()).open == 1

    async def test_absent_forecast_is_announced_on_commit(self, units: Units, outbox: Outbox) -> None:
        event = ForecastNotMade(
            occurred_at=MONDAY + HOUR,
            symbol=BTC,
            timeframe=Timeframe.H1,
            candle=a_candle(),
            source="test",
            missing_candles=2,
            fault=ForecastFault.NOT_ENOUGH_HISTORY,
            detail="12 candles are stored and 600 are needed",
        )
        async with units(an_actor()) as unit:
            await unit.forecasts.announce(event)
            assert not await outbox.claim(limit=10, lease=LEASE)
        (claimed,) = await outbox.claim(limit=10, lease=LEASE)
        assert claimed.recorded.event == event

    async def test_rewinding_forgets_from_a_candle_on(self, units: Units, queries: MlQueries) -> None:
        async with units(an_actor()) as unit:
            for hour in range(4):
                await unit.forecasts.save(a_forecast(candle=MONDAY + hour * HOUR))
            await unit.forecasts.save(a_forecast(timeframe=Timeframe.M5))
        async with units(an_actor()) as unit:
            assert await unit.forecasts.delete_from(BTC_1H, MONDAY + HOUR) == 3
            await unit.forecasts.save(a_forecast(candle=MONDAY + HOUR))
        found = [await queries.find_forecast(BTC_1H, MONDAY + hour * HOUR) is not None for hour in range(4)]
        assert found == [True, True, False, False]
        assert await queries.find_forecast(SeriesKey(BTC, Timeframe.M5), MONDAY) is not None


@pytest.mark.asyncio
class MlQueriesContract:
    """Fixtures: ``queries`` and ``units`` on one empty store."""

    @pytest.fixture
    def queries(self) -> MlQueries:
        raise NotImplementedError("supply the queries under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_what_is_not_there_is_not_found(self, queries: MlQueries) -> None:
        with pytest.raises(ModelNotFound):
            await queries.get_model(ModelId(a_model().id))
        with pytest.raises(ModelNotFound):
            await queries.get_version(ModelVersionId(a_model_version().id))
        with pytest.raises(ForecastNotFound):
            await queries.get_forecast(ForecastId(a_forecast().id))
        assert not await queries.champions(BTC_1H)

    async def test_champions_are_the_approved_versions_shortest_horizon_first(self, queries: MlQueries, units: Units) -> None:
        expected = []
        async with units(an_actor()) as unit:
            for horizon in (24, 4):
                model = a_model(horizon=horizon)
                old, new = a_model_version(model), a_model_version(model, number=2)
                saved = await unit.models.save(model)
                await unit.models.add_version(old)
                expected.append(await unit.models.add_version(new))
                crowned = await unit.models.save(replace(saved, champion_id=old.id))
                await unit.models.save(replace(crowned, champion_id=new.id))
            unproven = a_model(horizon=1)
            await unit.models.save(unproven)
            await unit.models.add_version(a_model_version(unproven))
        assert list(await queries.champions(BTC_1H)) == expected[::-1]
        assert not await queries.champions(SeriesKey(BTC, Timeframe.M5))

    async def test_approval_can_be_withdrawn(self, queries: MlQueries, units: Units) -> None:
        model = a_model()
        version = a_model_version(model)
        async with units(an_actor()) as unit:
            saved = await unit.models.save(model)
            await unit.models.add_version(version)
            crowned = await unit.models.save(replace(saved, champion_id=version.id))
        async with units(an_actor()) as unit:
            await unit.models.save(replace(crowned, champion_id=None))
        assert not await queries.champions(BTC_1H)
        assert (await queries.get_model(model.id)).champion is None

    async def test_model_shows_its_versions_newest_first(self, queries: MlQueries, units: Units) -> None:
        model = a_model()
        async with units(an_actor()) as unit:
            await unit.models.save(model)
            for number in (1, 2, 3):
                await unit.models.add_version(a_model_version(model, number=number))
        assert [version.number for version in (await queries.get_model(model.id)).versions] == [3, 2, 1]

    async def test_models_are_paged_newest_first_in_both_directions(self, queries: MlQueries, units: Units) -> None:
        models = [a_model(horizon=index + 1, created_at=MONDAY + index // 2 * HOUR) for index in range(10)]
        other = a_model(timeframe=Timeframe.M5)
        version = a_model_version(other)
        async with units(an_actor()) as unit:
            for model in models:
                await unit.models.save(model)
            saved = await unit.models.save(other)
            await unit.models.add_version(version)
            await unit.models.save(replace(saved, champion_id=version.id))
        expected = sorted(models, key=lambda one: (one.created_at, one.id), reverse=True)
        await assert_pages_walk(
            lambda page: queries.list_models(BTC_1H, page), [one.id for one in expected], lambda view: view.model.id
        )
        everything = (await queries.list_models(None, PageRequest())).items
        assert len(everything) == 11
        assert [[one.id for one in view.versions] for view in everything if view.model.id == other.id] == [[version.id]]
        assert all(not view.versions for view in everything if view.model.id != other.id)


@pytest.mark.asyncio
class BlobStoreContract:
    """Fixture: ``blobs``."""

    @pytest.fixture
    def blobs(self) -> BlobStore:
        raise NotImplementedError("supply the store under test")

    async def test_content_is_read_back_by_its_digest(self, blobs: BlobStore) -> None:
        content = bytes(range(256)) * 1_000
        digest = await blobs.put(content)
        assert digest == hashlib.sha256(content).hexdigest()
        assert await blobs.get(digest) == content
        assert await blobs.get(await blobs.put(b"")) == b""

    async def test_same_content_is_one_blob(self, blobs: BlobStore) -> None:
        digests = await asyncio.gather(*(blobs.put(b"the same") for _ in range(AT_A_TIME)))
        assert len(set(digests)) == 1
        assert await blobs.get(digests[0]) == b"the same"

    async def test_unknown_digest_is_not_found(self, blobs: BlobStore) -> None:
        with pytest.raises(BlobNotFound):
            await blobs.get(a_digest())
