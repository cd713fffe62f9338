"""Contracts of training a model, loading it and forecasting with it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Final

import pytest

from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.ml.errors import BundleRefused, DataUnfit, FeatureSpecMismatch, NotEnoughHistory
from tradingcore.ml.model.bundle import digest_of
from tradingcore.ml.model.features import FeatureRow
from tradingcore.ml.model.model_version import BASELINES, ModelVersion
from tradingcore.ml.ports import (
    FeatureCalculator,
    ModelLoader,
    ModelTrainer,
    ServedModel,
    TrainedModel,
    TrainingProfile,
    TrainingProgress,
    TrainingRequest,
)
from tradingcore.testing.builders import a_model, a_model_version
from tradingcore.testing.ml_features import PROFILE

SMALL: Final = TrainingProfile(name="small", folds=2, rounds=25, horizons=1)


@dataclass
class HeardProgress(TrainingProgress):
    """Remembers (step, done, total)."""

    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        self.steps.append((step, done, total))


def a_training(*, horizon: int = 4, seed: int = 1, training: TrainingProfile = SMALL) -> TrainingRequest:
    return TrainingRequest(profile=PROFILE, horizon=horizon, training=training, seed=seed)


def a_version_of(model: TrainedModel, **overrides: Any) -> ModelVersion:
    """The version that a registry would keep for a trained model."""
    fields: dict[str, Any] = {"bundle_sha256": digest_of(model.bundle), "feature_spec_hash": model.spec.hash}
    return replace(a_model_version(a_model(horizon=model.spec.horizon)), **(fields | overrides))


@pytest.mark.asyncio
class ModelTrainerContract:
    """Fixtures: ``trainer`` and ``candles`` (hourly, 24/7, enough for `SMALL`)."""

    @pytest.fixture
    def trainer(self) -> ModelTrainer:
        raise NotImplementedError("supply the trainer under test")

    @pytest.fixture
    def candles(self) -> CandleSeries:
        raise NotImplementedError("supply candles with something to learn")

    async def test_figures_are_finite_and_cover_every_baseline(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        trained = await trainer.train(a_training(), candles, HeardProgress())
        evaluation = trained.evaluation
        assert tuple(evaluation.skill) == BASELINES
        assert all(isfinite(value) for value in (*evaluation.skill.values(), *evaluation.metrics.values()))
        assert 0 < evaluation.coverage < 1
        assert (trained.spec.horizon, len(trained.data_hash)) == (4, 64)

    async def test_folds_follow_each_other_and_learn_from_the_past_only(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        trained = await trainer.train(a_training(), candles, HeardProgress())
        first, second = trained.folds
        ahead = (1 + trained.spec.horizon) * candles.key.timeframe.duration
        for fold in trained.folds:
            assert fold.train_first < fold.train_last < fold.test_first - ahead
        assert first.test_last < second.test_first
        assert first.train_first == second.train_first
        assert first.train_last < second.train_last
        assert first.test_rows + second.test_rows == trained.evaluation.test_rows
        assert trained.evaluation.folds == SMALL.folds

    async def test_bundle_is_a_function_of_candles_and_seed(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        async def hashes(candles: CandleSeries, *, seed: int = 1) -> tuple[str, str]:
            trained = await trainer.train(a_training(seed=seed), candles, HeardProgress())
            return digest_of(trained.bundle), trained.data_hash

        first, again = await hashes(candles), await hashes(candles)
        other_seed, fewer = await hashes(candles, seed=2), await hashes(candles.slice(0, len(candles) - 1))
        assert again == first
        assert other_seed[0] != first[0]
        assert fewer[1] != first[1]

    async def test_progress_is_told_step_by_step(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        heard = HeardProgress()
        await trainer.train(a_training(), candles, heard)
        totals = {total for _, _, total in heard.steps}
        assert [done for _, done, _ in heard.steps] == list(range(1, totals.pop() + 1))
        assert not totals

    async def test_training_leaves_the_loop_free_and_stops_when_cancelled(
        self, trainer: ModelTrainer, candles: CandleSeries
    ) -> None:
        endless = a_training(training=replace(SMALL, rounds=1_000_000))
        task = asyncio.create_task(trainer.train(endless, candles, HeardProgress()))
        for _ in range(5):
            await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_too_few_candles_are_counted_in_the_sentence(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        with pytest.raises(NotEnoughHistory, match=r"has 200 candles.* needs at least \d+"):
            await trainer.train(a_training(), candles.slice(0, 200), HeardProgress())

    async def test_candles_out_of_order_are_unfit(self, trainer: ModelTrainer, candles: CandleSeries) -> None:
        columns = (column[::-1] for column in (candles.open, candles.high, candles.low, candles.close, candles.volume))
        reversed_candles = CandleSeries(candles.key, candles.open_times[::-1], *columns)
        with pytest.raises(DataUnfit, match="does not come after the candle before it"):
            await trainer.train(a_training(), reversed_candles, HeardProgress())


class ModelLoaderContract:
    """Fixtures: ``loader`` and ``trained``: a model that the loader understands."""

    @pytest.fixture
    def loader(self) -> ModelLoader:
        raise NotImplementedError("supply the loader under test")

    @pytest.fixture
    def trained(self) -> TrainedModel:
        raise NotImplementedError("supply a trained model")

    def test_loaded_model_has_the_spec_that_it_was_trained_with(self, loader: ModelLoader, trained: TrainedModel) -> None:
        assert loader.load(trained.bundle, a_version_of(trained)).spec == trained.spec

    @pytest.mark.parametrize("place", [0, 0.25, 0.5, 0.75, 1])
    def test_one_changed_byte_is_refused(self, loader: ModelLoader, trained: TrainedModel, place: float) -> None:
        changed = bytearray(trained.bundle)
        changed[round(place * (len(changed) - 1))] ^= 1
        with pytest.raises(BundleRefused):
            loader.load(bytes(changed), a_version_of(trained))

    def test_bundle_of_another_version_is_refused(self, loader: ModelLoader, trained: TrainedModel) -> None:
        for overrides in ({"feature_spec_hash": "0" * 64}, {"horizon": trained.spec.horizon + 1}):
            with pytest.raises(BundleRefused):
                loader.load(trained.bundle, a_version_of(trained, **overrides))


class ServedModelContract:
    """Fixtures: ``model``, ``version``, ``features`` and ``candles``; the model has horizon 4."""

    @pytest.fixture
    def model(self) -> ServedModel:
        raise NotImplementedError("supply the model under test")

    @pytest.fixture
    def version(self) -> ModelVersion:
        raise NotImplementedError("supply the version that it was loaded as")

    @pytest.fixture
    def features(self) -> FeatureCalculator:
        raise NotImplementedError("supply the calculator of its features")

    @pytest.fixture
    def candles(self) -> CandleSeries:
        raise NotImplementedError("supply candles of the series")

    @pytest.fixture
    def rows(self, model: ServedModel, features: FeatureCalculator, candles: CandleSeries) -> list[FeatureRow]:
        stops = range(len(candles) - 20, len(candles) + 1)
        return [row for stop in stops for row in features.window(candles.slice(0, stop), [model.spec])]

    def test_forecast_says_who_made_it(self, model: ServedModel, version: ModelVersion, rows: list[FeatureRow]) -> None:
        forecast = model.predict(rows[0])
        assert (forecast.horizon, forecast.model_version_id, forecast.model_version) == (4, version.id, version.label)
        assert forecast.bundle_sha256 == version.bundle_sha256
        assert forecast.served_by in ("ensemble", "har_w")

    def test_forecast_is_one_of_a_price_that_moves(self, model: ServedModel, rows: list[FeatureRow]) -> None:
        for row in rows:
            forecast = model.predict(row)
            assert 0 < forecast.delta_high.high < 1
            assert 0 < forecast.delta_low.high < 1
            assert isfinite(forecast.mean_high + forecast.mean_low)
            assert forecast.unit == pytest.approx(row.scale * 2)

    def test_chances_sum_to_one_for_both_sides(self, model: ServedModel, rows: list[FeatureRow]) -> None:
        for row in rows:
            barriers = model.predict(row).barriers
            assert {barrier.side for barrier in barriers} == {1, -1}
            for barrier in barriers:
                assert barrier.p_take_profit + barrier.p_stop_loss + barrier.p_time == pytest.approx(1)
                assert min(barrier.p_take_profit, barrier.p_stop_loss, barrier.p_time) >= 0

    def test_row_of_other_features_is_refused(self, model: ServedModel, features: FeatureCalculator, candles: CandleSeries) -> None:
        other = features.spec(PROFILE, horizon=8, has_volume=False)
        (row,) = features.window(candles, [other])
        with pytest.raises(FeatureSpecMismatch):
            model.predict(row)

    def test_equal_rows_give_equal_numbers_on_many_threads(self, model: ServedModel, rows: list[FeatureRow]) -> None:
        alone = [model.predict(row) for row in rows]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                assert list(pool.map(model.predict, rows)) == alone
