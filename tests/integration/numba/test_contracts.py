from __future__ import annotations

import pytest

from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.targets import NumbaTargetCalculator
from tradingcore.ml.ports import FeatureCalculator, TargetCalculator
from tradingcore.testing.ml_features import FeatureCalculatorContract, TargetCalculatorContract


class TestNumbaFeatureCalculator(FeatureCalculatorContract):
    @pytest.fixture
    def calculator(self) -> FeatureCalculator:
        return NumbaFeatureCalculator()


class TestNumbaTargetCalculator(TargetCalculatorContract):
    @pytest.fixture
    def targets(self) -> TargetCalculator:
        return NumbaTargetCalculator()
