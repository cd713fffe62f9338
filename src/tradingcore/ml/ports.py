"""What the ml context needs from the outside. Numbers travel as memoryviews and rows; no library's types cross."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.ml.events import ForecastNotMade
from tradingcore.ml.ids import BundleDigest, ModelId, ModelVersionId
from tradingcore.ml.model.features import FeatureMatrix, FeatureRow, FeatureSpec, SeriesProfile
from tradingcore.ml.model.forecast import Forecast, HorizonForecast
from tradingcore.ml.model.model_version import Evaluation, FoldRecord, Model, ModelVersion


class MarketHistory(Protocol):
    """Asks the owner of market data. Implemented by a bridge."""

    __slots__ = ()

    @abstractmethod
    async def profile(self, key: SeriesKey) -> SeriesProfile:
        """Raise `NotFound` for an unknown symbol."""

    @abstractmethod
    async def window(self, key: SeriesKey, *, last: datetime, count: int) -> CandleSeries:
        """Return the last ``count`` stored candles that open at or before ``last``; fewer where there are not so many."""

    @abstractmethod
    async def history(self, key: SeriesKey, *, stop: datetime | None = None) -> CandleSeries:
        """Return all stored candles that open before ``stop``. Raise `NotFound` when there is none."""


class FeatureCalculator(Protocol):
    """Turns candles into features. Pure: equal candles and spec give equal bytes, in every process.

    `window` is the form of serving and explanation, over exactly ``spec.w_max`` candles; `matrix` is the form of training and
    agrees with it to 1e-6 standard deviations per feature.
    """

    __slots__ = ()

    @abstractmethod
    def spec(self, profile: SeriesProfile, *, horizon: int, has_volume: bool) -> FeatureSpec: ...

    @abstractmethod
    def knows(self, spec: FeatureSpec) -> bool:
        """Whether this version computes exactly this spec."""

    @abstractmethod
    def warm_up(self) -> None:
        """Do now what would make the first call slow, such as compiling."""

    @abstractmethod
    def window(self, candles: CandleSeries, specs: Sequence[FeatureSpec]) -> Sequence[FeatureRow]:
        """Return one row per spec for the last candle. Raises `NotEnoughHistory` below ``w_max`` candles."""

    @abstractmethod
    def matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        """Return the rows of every candle that has ``w_max`` candles up to itself. Raises `NotEnoughHistory` when none has."""


@dataclass(frozen=True, slots=True, eq=False)
class RangeTargets:
    """Per candle, float64, log return: ``delta_high`` and ``delta_low`` over the coming candles; NaN while those are not over."""

    delta_high: memoryview
    delta_low: memoryview


@dataclass(frozen=True, slots=True, eq=False)
class BarrierLabels:
    """Per candle: ``label`` (int8: 0 take profit, 1 stop loss, 2 time, -1 not over yet), the realised log return of the position
    (float64, before costs) and the index of the candle that ended it (int64). ``ambiguous`` counts candles that held both levels.
    """

    label: memoryview
    realised: memoryview
    exit_index: memoryview
    ambiguous: int


class TargetCalculator(Protocol):
    """What training learns from: the only port that looks ahead. Never part of serving."""

    __slots__ = ()

    @abstractmethod
    def ranges(self, candles: CandleSeries, *, horizon: int) -> RangeTargets: ...

    @abstractmethod
    def barriers(
        self, candles: CandleSeries, *, unit: memoryview, horizon: int, side: int, k_take_profit: float, k_stop_loss: float
    ) -> BarrierLabels:
        """Label by the rule of ml.md S6; ``unit`` is u per candle (float64, NaN where unknown), ``side`` +1 long or -1 short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProfile:
    """How thoroughly to train: ml.md S7."""

    name: str
    folds: int
    rounds: int
    horizons: int | None
    """How many of the default horizons, shortest first; ``None`` for all."""
    max_tree_rows: int | None = None
    """How many candles teach the trees of a fold at most, evenly spaced; ``None`` for all that `policies.thinning` leaves."""


FULL: Final = TrainingProfile(name="full", folds=6, rounds=600, horizons=None)
DEMO: Final = TrainingProfile(name="demo", folds=3, rounds=150, horizons=1, max_tree_rows=8_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    profile: SeriesProfile
    horizon: int
    training: TrainingProfile
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a training run yields. ``bundle`` is the zip of ml.md S12: JSON and UBJ members and a manifest, no pickle."""

    bundle: bytes
    spec: FeatureSpec
    evaluation: Evaluation
    folds: tuple[FoldRecord, ...]
    data_hash: str


class TrainingProgress(Protocol):
    """Told how a training run goes on."""

    __slots__ = ()

    @abstractmethod
    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps are over; ``step`` says in a few words what was finished."""


class ModelTrainer(Protocol):
    """Trains one model by purged walk-forward (ml.md S7). Deterministic for equal candles, request and library versions."""

    __slots__ = ()

    @abstractmethod
    async def train(self, request: TrainingRequest, candles: CandleSeries, progress: TrainingProgress) -> TrainedModel:
        """Raise `NotEnoughHistory` or `DataUnfit`, in a sentence with numbers."""


class ServedModel(Protocol):
    """A loaded bundle, ready to predict. Thread-safe, no I/O."""

    __slots__ = ()

    @property
    @abstractmethod
    def spec(self) -> FeatureSpec: ...

    @abstractmethod
    def predict(self, row: FeatureRow) -> HorizonForecast:
        """Raises `FeatureSpecMismatch` for a row of another spec. Equal rows give equal numbers, bit for bit."""


class ModelLoader(Protocol):
    """Turns the bytes of a bundle into a model."""

    __slots__ = ()

    @abstractmethod
    def load(self, bundle: bytes, version: ModelVersion) -> ServedModel:
        """Verify, then load and warm up. Raises `BundleRefused`, saying which check failed."""


class BlobStore(Protocol):
    """Content-addressed bytes. The digest is the SHA-256 of the content; writing the same content twice is one blob."""

    __slots__ = ()

    @abstractmethod
    async def put(self, content: bytes) -> BundleDigest:
        """Store durably, all or nothing."""

    @abstractmethod
    async def get(self, digest: BundleDigest) -> bytes:
        """Return the bytes unverified: whoever trusts them checks them. Raises `BlobNotFound`."""


class ModelRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def find(self, key: SeriesKey, horizon: int) -> Model | None: ...

    @abstractmethod
    async def save(self, model: Model) -> Model:
        """Insert or update. Raises `StaleVersion`, also for a second model of one (symbol, timeframe, horizon)."""

    @abstractmethod
    async def next_number(self, model_id: ModelId) -> int:
        """Return 1 + the highest version number of the model, 1 for none."""

    @abstractmethod
    async def add_version(self, version: ModelVersion) -> ModelVersion:
        """Insert. Raises `StaleVersion` when the number is taken."""


class ForecastRepository(Protocol):
    __slots__ = ()

    @abstractmethod
    async def save(self, forecast: Forecast) -> Forecast:
        """Insert. Raises `StaleVersion` when the candle has a forecast already."""

    @abstractmethod
    async def announce(self, event: ForecastNotMade) -> None:
        """Put the fact that there is no forecast into the outbox, in this transaction."""

    @abstractmethod
    async def delete_from(self, key: SeriesKey, first: datetime) -> int:
        """Forget the forecasts of candles that open at or after ``first``. For replays only."""


class MlUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def models(self) -> ModelRepository: ...

    @property
    @abstractmethod
    def forecasts(self) -> ForecastRepository: ...


class ServedModels(Protocol):
    """The approved models of a series, loaded and kept; follows a change of champion without a restart."""

    __slots__ = ()

    @abstractmethod
    async def champions(self, key: SeriesKey) -> Sequence[tuple[ModelVersion, ServedModel]]:
        """Return one per approved horizon, shortest first. Raises `BundleRefused` or `BlobNotFound` for a broken one."""

    @abstractmethod
    async def version(self, version_id: ModelVersionId) -> tuple[ModelVersion, ServedModel]:
        """Return one by id, approved or not. Raises as `champions`, and `ModelNotFound`."""
