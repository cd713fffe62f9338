from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from entrypoints.http.inputs import in_utc
from entrypoints.http.pages import PageInfo
from entrypoints.http.schemas.values import (
    DecimalText,
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
from tradingcore.kernel.market import AssetClass, Calendar, SeriesKey, Timeframe, symbol_code
from tradingcore.trading.model.decision import DecisionReason
from tradingcore.trading.model.live_series import Freshness
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, SignalStatus
from tradingcore.trading.model.symbol import CostUnit
from tradingcore.trading.queries import DecisionFilter, SignalFilter
from tradingcore.trading.use_cases.get_candles import DEFAULT_LIMIT, MAXIMUM_LIMIT, GetCandlesCommand

STORED: Final = "stored"
PAIR: Final = Meta(min_length=2, max_length=2)


class CostBody(Response):
    amount: DecimalText
    unit: CostUnit


class CostsBody(Response):
    """Half spread and fee are paid on entry and on exit; slippage is an allowance for the round trip."""

    half_spread: CostBody
    fee: CostBody
    slippage: CostBody


class StoredSeriesBody(Response):
    """Closed candles that are stored; ``first`` and ``last`` are open times."""

    timeframe: Timeframe
    count: int
    first: TimeText
    last: TimeText


class SymbolBody(Response):
    code: SymbolText
    asset_class: AssetClass
    base: str
    quote: str
    price_tick: DecimalText
    quantity_step: DecimalText
    minimum_notional: DecimalText
    calendar: Calendar
    costs: CostsBody
    minimum_risk_reward: DecimalText
    minimum_expected_value_r: DecimalText
    series: list[StoredSeriesBody]


class SymbolList(Response):
    data: list[SymbolBody]


class CandleBody(Response):
    """A closed candle, labelled by its open time; prices are market data, hence numbers."""

    symbol: SymbolText
    timeframe: Timeframe
    open_time: TimeText
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool
    source: Annotated[str, Meta(description="the feed of the watched series (simulated says so), or stored")]


class CandleRows(Response):
    """Oldest first."""

    data: list[CandleBody]


class CandleColumns(Response):
    """The same candles as arrays of equal length for charts; ``open_time`` in milliseconds since 1970."""

    symbol: SymbolText
    timeframe: Timeframe
    source: str
    open_time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


class IntervalBody(Response):
    """Where the high and the low of the coming candles are expected: nominal level, and coverage measured out of sample."""

    level: Probability
    coverage: Probability
    sample_size: int
    high: Annotated[list[DecimalText], PAIR]
    low: Annotated[list[DecimalText], PAIR]


class SignalBody(Response):
    """An offer to act, made at the close of one candle. ``unverified``: the model has not proven an edge after costs."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    issued_at: TimeText
    decision_candle: TimeText
    side: Side
    entry: DecimalText
    take_profit: DecimalText
    stop_loss: DecimalText
    risk_reward: DecimalText
    probability: Annotated[Probability, Meta(description="calibrated: the target is touched first, within the horizon")]
    p_stop_loss: Probability
    p_time: Probability
    expected_value_r: Annotated[float, Meta(description="in R, after spread, fees and slippage")]
    cost: Annotated[float, Meta(description="of the round trip, as a fraction of the entry")]
    horizon: int
    predicted_high: DecimalText
    predicted_low: DecimalText
    interval: IntervalBody
    expires_at: TimeText
    model_version: str
    model_version_id: IdText
    forecast_id: IdText
    feature_hash: HashText
    data_range: Annotated[list[TimeText], PAIR]
    trace_id: TraceText
    is_simulated: bool
    edge_status: EdgeStatus
    status: SignalStatus
    fill_price: float | None
    candles_seen: int
    outcome_r: float | None
    closed_at: TimeText | None


class SignalPage(Response):
    data: list[SignalBody]
    page: PageInfo


class ExplanationBody(Response):
    """The signal, computed again from stored candles by the stored model. ``mismatches`` is empty when every bit is the same."""

    signal: SignalBody
    is_reproduced: bool
    mismatches: list[str]
    features: dict[str, float]
    lineage: dict[str, str]


class DecisionBody(Response):
    """What was decided on one closed candle, and why there is no signal where there is none."""

    id: IdText
    symbol: SymbolText
    timeframe: Timeframe
    candle: TimeText
    decided_at: TimeText
    reason: DecisionReason
    detail: str
    forecast_id: IdText | None
    signal_id: IdText | None
    expected_value_r: float | None
    trace_id: TraceText


class DecisionPage(Response):
    data: list[DecisionBody]
    page: PageInfo


class SeriesBody(Response):
    """A watched series. A stale one gives no signals until its data is fresh again."""

    symbol: SymbolText
    timeframe: Timeframe
    source: str
    is_simulated: bool
    freshness: Freshness
    last_closed: TimeText | None


class SeriesList(Response):
    data: list[SeriesBody]


class CandleQuery(msgspec.Struct, kw_only=True):
    symbol: SymbolText
    timeframe: Timeframe
    start: Annotated[Time, Meta(description="first open time, inclusive; without it the newest candles")] | None = msgspec.field(
        default=None, name="from"
    )
    stop: Annotated[Time, Meta(description="last open time, exclusive")] | None = msgspec.field(default=None, name="to")
    limit: Annotated[int, Meta(ge=1, le=MAXIMUM_LIMIT)] = DEFAULT_LIMIT

    def command(self) -> GetCandlesCommand:
        return GetCandlesCommand(
            key=SeriesKey(symbol_code(self.symbol), self.timeframe),
            start=in_utc(self.start, "from"),
            stop=in_utc(self.stop, "to"),
            limit=self.limit,
        )


class SignalQuery(SeriesPageQuery, kw_only=True):
    side: Side | None = None
    status: SignalStatus | None = None
    edge_status: EdgeStatus | None = None
    since: Annotated[Time, Meta(description="issued at or after")] | None = None
    min_confidence: Annotated[float, Meta(ge=0, le=1, description="least probability")] | None = None

    def where(self) -> SignalFilter:
        return SignalFilter(
            symbol=self.symbol_code(),
            timeframe=self.timeframe,
            side=self.side,
            status=self.status,
            edge_status=self.edge_status,
            since=in_utc(self.since, "since"),
            minimum_probability=self.min_confidence,
        )


class DecisionQuery(SeriesPageQuery, kw_only=True):
    reason: DecisionReason | None = None
    since: Annotated[Time, Meta(description="decided at or after")] | None = None

    def where(self) -> DecisionFilter:
        return DecisionFilter(
            symbol=self.symbol_code(),
            timeframe=self.timeframe,
            reason=self.reason,
            since=in_utc(self.since, "since"),
        )
