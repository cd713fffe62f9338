import asyncio
from functools import cache

import pytest

from adapters.xgboost.loader import XgboostModelLoader
from adapters.xgboost.trainer import XgboostModelTrainer
from tests.integration.xgboost.stand_ins import StandInFeatures, StandInTargets
from tradingcore.kernel.market import CandleSeries
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import FeatureCalculator, ModelLoader, ModelTrainer, ServedModel, TrainedModel
from tradingcore.testing.markets import a_market
from tradingcore.testing.ml_models import (
    HeardProgress,
    ModelLoaderContract,
    ModelTrainerContract,
    ServedModelContract,
    a_training,
    a_version_of,
)

CANDLES = 1_300


@cache
def a_trained_model() -> TrainedModel:
    trainer = XgboostModelTrainer(StandInFeatures(), StandInTargets())
    return asyncio.run(trainer.train(a_training(), a_market(CANDLES), HeardProgress()))


class TestXgboostModelTrainer(ModelTrainerContract):
    @pytest.fixture
    def trainer(self) -> ModelTrainer:
        return XgboostModelTrainer(StandInFeatures(), StandInTargets())

    @pytest.fixture
    def candles(self) -> CandleSeries:
        return a_market(CANDLES)


class TestXgboostModelLoader(ModelLoaderContract):
    @pytest.fixture
    def loader(self) -> ModelLoader:
        return XgboostModelLoader(StandInFeatures())

    @pytest.fixture
    def trained(self) -> TrainedModel:
        return a_trained_model()


class TestXgboostServedModel(ServedModelContract):
    @pytest.fixture
    def version(self) -> ModelVersion:
        return a_version_of(a_trained_model())

    @pytest.fixture
    def model(self, version: ModelVersion) -> ServedModel:
        return XgboostModelLoader(StandInFeatures()).load(a_trained_model().bundle, version)

    @pytest.fixture
    def features(self) -> FeatureCalculator:
        return StandInFeatures()

    @pytest.fixture
    def candles(self) -> CandleSeries:
        return a_market(CANDLES)
