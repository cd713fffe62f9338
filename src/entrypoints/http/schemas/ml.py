from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from entrypoints.http.inputs import in_utc
from entrypoints.http.pages import PageInfo
from entrypoints.http.schemas.values import (
    HashText,
    IdText,
    Probability,
    Response,
    SeriesPageQuery,
    SymbolText,
    Time,
    TimeText,
    TraceText,
)
from tradingcore.kernel.market import SeriesKey, Timeframe, symbol_code
from tradingcore.ml.model.model_version import VersionState
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemandCommand
from tradingcore.trading.model.outlook import Side


class VerdictBody(Response):
    """What the figures say. ``sentence`` is fit to be shown to anybody; the lists name baselines."""

    sentence: str
    beats: list[str]
    level_with: list[str]
    does_not_beat: list[str]
    not_measured: list[str]


class SpanBody(Response):
    """Open times of the first and the last candle."""

    first: TimeText
    last: TimeText


class FoldBody(Response):
    """One fold of the purged walk-forward."""

    index: int
    train: SpanBody
    test: SpanBody
    train_rows: int
    test_rows: int
    seed: int
    best_iterations: dict[str, float | None]
    metrics: dict[str, float | None]
    seconds: float


class VersionBody(Response):
    """One trained version and how good it is. ``skill``: 0.12 is 12 % better than the baseline; out of sample."""

    id: IdText
    number: int
    label: str
    is_champion: bool
    state: VersionState
    created_at: TimeText
    profile: str
    verdict: VerdictBody
    skill: dict[str, float | None]
    coverage: float
    folds: int
    test_rows: int
    data: SpanBody
    bundle_sha256: HashText


class VersionDetailBody(VersionBody):
    """The same with every figure, the features, and the spans of each fold."""

    metrics: dict[str, float | None]
    features: list[str]
    feature_spec_hash: HashText
    data_hash: HashText
    code_version: str
    seed: int
    fold_records: list[FoldBody]


class ModelBody(Response):
    """A model: the range of one series over ``horizon`` candles. ``champion`` is the version that serves."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    horizon: int
    created_at: TimeText
    champion: VersionBody | None


class ModelPage(Response):
    data: list[ModelBody]
    page: PageInfo


class ModelDetailBody(Response):
    """A model with all its versions, newest first."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    horizon: int
    created_at: TimeText
    versions: list[VersionDetailBody]


class QuantilesBody(Response):
    """10 %, 50 % and 90 %."""

    low: float
    median: float
    high: float


class BarrierBody(Response):
    """Calibrated probabilities of one side and one pair of barriers, in units of ``unit``."""

    side: Side
    k_take_profit: float
    k_stop_loss: float
    p_take_profit: Probability
    p_stop_loss: Probability
    p_time: Probability
    mean_time_return: float


class HorizonBody(Response):
    """``delta_high`` and ``delta_low`` are log returns from the close; ``high`` and ``low`` the price levels that they mean."""

    horizon: int
    model_version: str
    model_version_id: IdText
    bundle_sha256: HashText
    delta_high: QuantilesBody
    delta_low: QuantilesBody
    high: QuantilesBody
    low: QuantilesBody
    mean_high: float
    mean_low: float
    unit: float
    barriers: list[BarrierBody]
    interval_level: Probability
    interval_coverage: Probability
    sample_size: int
    served_by: str
    is_out_of_distribution: bool


class PredictionBody(Response):
    """The forecast of one closed candle; ``is_stored`` says whether it is the one that decisions were made on."""

    id: IdText
    is_stored: bool
    symbol: SymbolText
    timeframe: Timeframe
    candle: TimeText
    made_at: TimeText
    close: float
    atr: float
    horizons: list[HorizonBody]
    feature_hash: HashText
    data: SpanBody
    trace_id: TraceText


class ModelQuery(SeriesPageQuery, kw_only=True):
    pass


class PredictionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    symbol: SymbolText
    timeframe: Timeframe
    at: Annotated[Time, Meta(description="open time of a stored candle; without it the newest")] | None = None
    horizon: Annotated[int, Meta(ge=1, le=500, description="candles ahead; without it every one that a model serves")] | None = None

    def command(self) -> PredictOnDemandCommand:
        return PredictOnDemandCommand(
            key=SeriesKey(symbol_code(self.symbol), self.timeframe), at=in_utc(self.at, "at"), horizon=self.horizon
        )
