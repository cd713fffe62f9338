"""Contracts of the ports through which one context asks another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tradingcore.kernel.errors import NotFound
from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.ml.errors import BlobNotFound, BundleRefused, ModelNotFound
from tradingcore.ml.ids import BundleDigest, ModelVersionId
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.ml.ports import BlobStore, MarketHistory, MlUnitOfWork, ServedModels
from tradingcore.testing.builders import (
    BTC,
    BTC_1H,
    HOUR,
    MONDAY,
    a_digest,
    a_model,
    a_model_version,
    a_symbol,
    an_actor,
    an_id,
    candles,
)
from tradingcore.trading.ids import ForecastRef
from tradingcore.trading.ports import ForecastExplainer, TradingUnitOfWork


@pytest.mark.asyncio
class MarketHistoryContract:
    """Fixtures: ``history`` and ``units``, the trading units of work of the same store."""

    @pytest.fixture
    def history(self) -> MarketHistory:
        raise NotImplementedError("supply the history under test")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[TradingUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same store")

    async def test_profile_is_that_of_the_symbol(self, history: MarketHistory, units: UnitOfWorkFactory[TradingUnitOfWork]) -> None:
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol("AAPL", asset_class=AssetClass.EQUITY, calendar=Calendar.US_EQUITY))
        profile = await history.profile(SeriesKey(SymbolCode("AAPL"), Timeframe.M5))
        assert (profile.key.timeframe, profile.asset_class, profile.calendar) == (
            Timeframe.M5,
            AssetClass.EQUITY,
            Calendar.US_EQUITY,
        )

    async def test_unknown_symbol_is_not_found(self, history: MarketHistory) -> None:
        with pytest.raises(NotFound, match="BTC/USDT"):
            await history.profile(BTC_1H)

    async def test_window_ends_with_the_candle_that_was_asked_for(
        self, history: MarketHistory, units: UnitOfWorkFactory[TradingUnitOfWork]
    ) -> None:
        stored = candles(6)
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, stored)
        assert list(await history.window(BTC_1H, last=MONDAY + 3 * HOUR, count=2)) == list(stored[2:4])
        assert list(await history.window(BTC_1H, last=MONDAY + 3 * HOUR, count=9)) == list(stored[:4])
        assert len(await history.window(BTC_1H, last=MONDAY - HOUR, count=2)) == 0

    async def test_history_ends_before_its_stop(self, history: MarketHistory, units: UnitOfWorkFactory[TradingUnitOfWork]) -> None:
        stored = candles(6)
        async with units(an_actor()) as unit:
            await unit.symbols.save(a_symbol())
            await unit.candles.append(BTC_1H, stored)
        assert list(await history.history(BTC_1H)) == list(stored)
        assert list(await history.history(BTC_1H, stop=MONDAY + 3 * HOUR)) == list(stored[:3])
        with pytest.raises(NotFound):
            await history.history(BTC_1H, stop=MONDAY)
        with pytest.raises(NotFound):
            await history.history(SeriesKey(BTC, Timeframe.M5))


@pytest.mark.asyncio
class ServedModelsContract:
    """Fixtures: ``served``; ``units`` and ``blobs`` of the same store; ``bundle``, which loads, and ``broken``, which does not."""

    @pytest.fixture
    def served(self) -> ServedModels:
        raise NotImplementedError("supply the models under test")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[MlUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same store")

    @pytest.fixture
    def blobs(self) -> BlobStore:
        raise NotImplementedError("supply the blob store")

    @pytest.fixture
    def bundle(self) -> bytes:
        raise NotImplementedError("supply a bundle that loads")

    @pytest.fixture
    def broken(self) -> bytes:
        raise NotImplementedError("supply a bundle that is refused")

    @pytest.fixture
    def crown(self, units: UnitOfWorkFactory[MlUnitOfWork]) -> Callable[..., Awaitable[ModelVersion]]:
        """Adds a version with a bundle and makes it serve."""

        async def crown(model: Model, digest: BundleDigest, *, number: int = 1, approve: bool = True) -> ModelVersion:
            version = a_model_version(model, bundle_sha256=digest, number=number)
            async with units(an_actor()) as unit:
                saved = await unit.models.find(BTC_1H, model.horizon) or await unit.models.save(model)
                added = await unit.models.add_version(version)
                if approve:
                    await unit.models.save(replace(saved, champion_id=version.id))
            return added

        return crown

    async def test_series_without_an_approved_model_has_no_champions(
        self, served: ServedModels, blobs: BlobStore, bundle: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        await crown(a_model(), await blobs.put(bundle), approve=False)
        assert list(await served.champions(BTC_1H)) == []

    async def test_champions_come_shortest_horizon_first(
        self, served: ServedModels, blobs: BlobStore, bundle: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        digest = await blobs.put(bundle)
        for horizon in (24, 4, 12):
            await crown(a_model(horizon=horizon), digest)
        assert [version.horizon for version, _ in await served.champions(BTC_1H)] == [4, 12, 24]
        assert list(await served.champions(SeriesKey(BTC, Timeframe.M5))) == []

    async def test_change_of_champion_acts_at_once(
        self, served: ServedModels, blobs: BlobStore, bundle: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        model, digest = a_model(), await blobs.put(bundle)
        first = await crown(model, digest)
        assert [version for version, _ in await served.champions(BTC_1H)] == [first]
        second = await crown(model, digest, number=2)
        assert [version for version, _ in await served.champions(BTC_1H)] == [second]
        assert (await served.version(ModelVersionId(first.id)))[0] == first

    async def test_model_is_loaded_once_however_many_ask(
        self, served: ServedModels, blobs: BlobStore, bundle: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        version = await crown(a_model(), await blobs.put(bundle))
        found = await asyncio.gather(*(served.version(version.id) for _ in range(8)))
        found += await served.champions(BTC_1H)
        assert len({id(model) for _, model in found}) == 1

    async def test_unapproved_version_can_be_asked_for_and_an_unknown_one_not(
        self, served: ServedModels, blobs: BlobStore, bundle: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        version = await crown(a_model(), await blobs.put(bundle), approve=False)
        assert (await served.version(version.id))[0] == version
        with pytest.raises(ModelNotFound):
            await served.version(ModelVersionId(an_id()))

    async def test_broken_and_lost_bundles_are_told_apart(
        self, served: ServedModels, blobs: BlobStore, broken: bytes, crown: Callable[..., Awaitable[ModelVersion]]
    ) -> None:
        model = a_model()
        await crown(model, await blobs.put(broken))
        for _ in range(2):
            with pytest.raises(BundleRefused):
                await served.champions(BTC_1H)
        lost = await crown(model, a_digest(), number=2)
        with pytest.raises(BlobNotFound):
            await served.champions(BTC_1H)
        with pytest.raises(BlobNotFound):
            await served.version(lost.id)


@pytest.mark.asyncio
class ForecastExplainerContract:
    """Fixtures: ``explainer``; ``forecast_id`` of a stored forecast; ``spoil``, which changes a candle that it was made of."""

    @pytest.fixture
    def explainer(self) -> ForecastExplainer:
        raise NotImplementedError("supply the explainer under test")

    @pytest.fixture
    def forecast_id(self) -> ForecastRef:
        raise NotImplementedError("store a forecast")

    @pytest.fixture
    def spoil(self, forecast_id: ForecastRef) -> Callable[[], Awaitable[None]]:
        raise NotImplementedError("change one of its candles")

    async def test_stored_forecast_comes_out_again(self, explainer: ForecastExplainer, forecast_id: ForecastRef) -> None:
        explanation = await explainer.explain(forecast_id)
        assert (explanation.mismatches, explanation.outlook.forecast_id) == ((), forecast_id)
        assert list(explanation.features) == [item.horizon for item in explanation.outlook.horizons]
        assert all(explanation.features.values())
        assert explanation.lineage["forecast_id"] == str(forecast_id)

    async def test_equal_questions_get_equal_answers(self, explainer: ForecastExplainer, forecast_id: ForecastRef) -> None:
        assert await explainer.explain(forecast_id) == await explainer.explain(forecast_id)

    async def test_changed_candle_is_named(
        self, explainer: ForecastExplainer, forecast_id: ForecastRef, spoil: Callable[[], Awaitable[None]]
    ) -> None:
        await spoil()
        assert (await explainer.explain(forecast_id)).mismatches

    async def test_unknown_forecast_is_not_found(self, explainer: ForecastExplainer) -> None:
        with pytest.raises(NotFound):
            await explainer.explain(ForecastRef(an_id()))
