from __future__ import annotations

from typing import Annotated, Any, Final

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
from tradingcore.kernel.market import AssetClass, Calendar, CandleSeries, SeriesKey, Timeframe, symbol_code
from tradingcore.processes.wire import candle_on_the_wire, decimal_text, rfc3339, signal_on_the_wire
from tradingcore.trading.model.decision import Decision, DecisionReason
from tradingcore.trading.model.live_series import Freshness, LiveSeries
from tradingcore.trading.model.outlook import Side
from tradingcore.trading.model.signal import EdgeStatus, Signal, SignalStatus
from tradingcore.trading.model.symbol import Cost, CostUnit, Symbol
from tradingcore.trading.ports import SeriesExtent
from tradingcore.trading.queries import DecisionFilter, SignalFilter
from tradingcore.trading.use_cases.explain_signal import SignalExplanation
from tradingcore.trading.use_cases.get_candles import DEFAULT_LIMIT, MAXIMUM_LIMIT, GetCandlesCommand
from tradingcore.trading.use_cases.list_symbols import ListedSymbol

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


def symbol_body(listed: ListedSymbol) -> SymbolBody:
    symbol: Symbol = listed.symbol
    return SymbolBody(
        code=symbol.code,
        asset_class=symbol.asset_class,
        base=symbol.base,
        quote=symbol.quote,
        price_tick=decimal_text(symbol.price_tick),
        quantity_step=decimal_text(symbol.quantity_step),
        minimum_notional=decimal_text(symbol.minimum_notional),
        calendar=symbol.calendar,
        costs=CostsBody(
            half_spread=_cost(symbol.costs.half_spread), fee=_cost(symbol.costs.fee), slippage=_cost(symbol.costs.slippage)
        ),
        minimum_risk_reward=decimal_text(symbol.rules.minimum_risk_reward),
        minimum_expected_value_r=decimal_text(symbol.rules.minimum_expected_value_r),
        series=[_stored(extent) for extent in listed.series],
    )


def _cost(cost: Cost) -> CostBody:
    return CostBody(amount=decimal_text(cost.amount), unit=cost.unit)


def _stored(extent: SeriesExtent) -> StoredSeriesBody:
    return StoredSeriesBody(
        timeframe=extent.key.timeframe, count=extent.count, first=rfc3339(extent.first), last=rfc3339(extent.last)
    )


def candle_rows(series: CandleSeries, *, source: str) -> dict[str, Any]:
    """As `CandleRows`, without an object per candle in between."""
    return {"data": [candle_on_the_wire(series.key, candle, source=source) for candle in series]}


def candle_columns(series: CandleSeries, *, source: str) -> CandleColumns:
    return CandleColumns(
        symbol=series.key.symbol,
        timeframe=series.key.timeframe,
        source=source,
        open_time=series.open_times.tolist(),
        open=_floats(series.open),
        high=_floats(series.high),
        low=_floats(series.low),
        close=_floats(series.close),
        volume=_floats(series.volume),
    )


def _floats(column: memoryview) -> list[float]:
    return list(column)


def signal_body(signal: Signal) -> SignalBody:
    """From the wire form, so that HTTP and the stream can never drift apart."""
    return msgspec.convert(signal_on_the_wire(signal), SignalBody)


def explanation_body(explanation: SignalExplanation) -> ExplanationBody:
    return ExplanationBody(
        signal=signal_body(explanation.signal),
        is_reproduced=explanation.is_reproduced,
        mismatches=list(explanation.mismatches),
        features=dict(explanation.features),
        lineage=dict(explanation.lineage),
    )


def decision_body(decision: Decision) -> DecisionBody:
    return DecisionBody(
        id=str(decision.id),
        symbol=decision.symbol,
        timeframe=decision.timeframe,
        candle=rfc3339(decision.candle),
        decided_at=rfc3339(decision.decided_at),
        reason=decision.reason,
        detail=decision.detail,
        forecast_id=None if decision.forecast_id is None else str(decision.forecast_id),
        signal_id=None if decision.signal_id is None else str(decision.signal_id),
        expected_value_r=decision.expected_value_r,
        trace_id=decision.trace_id,
    )


def series_body(series: LiveSeries, *, simulated: str) -> SeriesBody:
    return SeriesBody(
        symbol=series.key.symbol,
        timeframe=series.key.timeframe,
        source=series.source,
        is_simulated=series.source == simulated,
        freshness=series.freshness,
        last_closed=None if series.last_closed is None else rfc3339(series.last_closed),
    )
