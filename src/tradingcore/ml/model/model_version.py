"""Models, their immutable versions, and what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.market import SymbolCode, Timeframe
from tradingcore.ml.ids import BundleDigest, ModelId, ModelVersionId

BASELINES: Final = ("mean", "persistence", "atr", "ewma", "har", "har_w")
"""What every range model is measured against (ml.md S4), in the order of the tables."""

CHAMPION: Final = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Out-of-sample figures of a purged walk-forward, all folds together.

    ``skill`` maps a baseline to ``1 - loss / loss of the baseline`` (pinball over quantiles .1/.5/.9, mean of delta-high and
    delta-low; MAE against ``persistence``): 0.12 is 12 % better. ``metrics`` holds every other figure by name.
    """

    folds: int
    test_rows: int
    skill: Mapping[str, float]
    coverage: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldRecord:
    """One fold as it ran: spans are open times of the first and last candle used."""

    index: int
    train_first: datetime
    train_last: datetime
    test_first: datetime
    test_last: datetime
    train_rows: int
    test_rows: int
    seed: int
    best_iterations: Mapping[str, float]
    metrics: Mapping[str, float]
    seconds: float


class VersionState(StrEnum):
    TRAINED = "trained"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Aggregate):
    """One question: the range (and barriers) of a series over a horizon. Unique by (symbol, timeframe, horizon).

    ``champion_id`` names the version that serves, ``None`` while none is approved.
    """

    id: ModelId
    symbol: SymbolCode
    timeframe: Timeframe
    horizon: int
    created_at: datetime
    champion_id: ModelVersionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion(Aggregate):
    """One trained answer: immutable, with its bundle, lineage and figures."""

    id: ModelVersionId
    model_id: ModelId
    symbol: SymbolCode
    timeframe: Timeframe
    horizon: int
    number: int
    created_at: datetime
    bundle_sha256: BundleDigest
    feature_spec_hash: str
    feature_names: tuple[str, ...]
    data_hash: str
    data_first: datetime
    data_last: datetime
    code_version: str
    seed: int
    profile: str
    evaluation: Evaluation
    folds: tuple[FoldRecord, ...]
    state: VersionState = VersionState.TRAINED

    @property
    def label(self) -> str:
        """What people call it: ``BTC/USDT:1h:h4:v3``."""
        return f"{self.symbol}:{self.timeframe.value}:h{self.horizon}:v{self.number}"
