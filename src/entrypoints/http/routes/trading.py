from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.conditional import with_etag
from entrypoints.http.inputs import FromQuery
from entrypoints.http.openapi import Alternative, described
from entrypoints.http.pages import Paging
from entrypoints.http.rendering.trading import (
    candle_columns,
    candle_rows,
    decision_body,
    explanation_body,
    series_body,
    signal_body,
    symbol_body,
)
from entrypoints.http.schemas.trading import (
    STORED,
    CandleColumns,
    CandleQuery,
    CandleRows,
    DecisionPage,
    DecisionQuery,
    ExplanationBody,
    SeriesList,
    SignalBody,
    SignalPage,
    SignalQuery,
    SymbolList,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Unavailable
from tradingcore.kernel.market import SeriesKey
from tradingcore.trading.errors import SignalNotFound, SymbolNotFound
from tradingcore.trading.ids import SignalId
from tradingcore.trading.use_cases.decide_on_candle import SIMULATED
from tradingcore.trading.use_cases.explain_signal import ExplainSignal, ExplainSignalCommand
from tradingcore.trading.use_cases.get_candles import GetCandles
from tradingcore.trading.use_cases.list_series import ListSeries, ListSeriesCommand
from tradingcore.trading.use_cases.list_signals import (
    GetSignal,
    GetSignalCommand,
    ListDecisions,
    ListDecisionsCommand,
    ListSignals,
    ListSignalsCommand,
)
from tradingcore.trading.use_cases.list_symbols import ListSymbols, ListSymbolsCommand

COLUMNS = 'application/json; profile="columns"'


@get(
    "/symbols",
    operation_id="listSymbols",
    summary="Symbols, their costs and what is stored of them",
    opt=described(is_cacheable=True),
)
async def list_symbols_handler(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], list_symbols: NamedDependency[ListSymbols]
) -> Response[SymbolList]:
    listed = await list_symbols(actor, ListSymbolsCommand())
    return with_etag(request, SymbolList(data=[symbol_body(item) for item in listed]))


@get(
    "/candles",
    operation_id="getCandles",
    summary="Closed candles of one series, oldest first",
    description='Rows, or columns for charts with `Accept: application/json; profile="columns"`.',
    dependencies={"parameters": FromQuery(CandleQuery)},
    opt=described(raises=(SymbolNotFound,), alternative=Alternative(COLUMNS, CandleColumns)),
)
async def get_candles_handler(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    parameters: NamedDependency[CandleQuery],
    get_candles: NamedDependency[GetCandles],
    list_series: NamedDependency[ListSeries],
) -> Response[CandleRows]:
    window = await get_candles(actor, parameters.command())
    source = await _source_of(window.series.key, actor, list_series)
    if "columns" in request.headers.get("accept", "").partition("profile=")[2][:10]:
        content = msgspec.json.encode(candle_columns(window.series, source=source))
        return Response(content, media_type=COLUMNS, headers={"Vary": "Accept"})  # type: ignore[arg-type]  # encoded already
    content = msgspec.json.encode(candle_rows(window.series, source=source))
    return Response(content, media_type="application/json", headers={"Vary": "Accept"})  # type: ignore[arg-type]  # likewise


async def _source_of(key: SeriesKey, actor: Actor, list_series: ListSeries) -> str:
    # A simulated market is labelled wherever it is shown, and stored candles carry no label of their own.
    watched = await list_series(actor, ListSeriesCommand())
    return next((series.source for series in watched if series.key == key), STORED)


@get(
    "/signals",
    operation_id="listSignals",
    summary="Signals, newest first",
    description="`unverified`: the model behind it has not proven an edge after costs. Most never do.",
    dependencies={"parameters": FromQuery(SignalQuery)},
)
async def list_signals_handler(
    actor: NamedDependency[Actor],
    parameters: NamedDependency[SignalQuery],
    paging: NamedDependency[Paging],
    list_signals: NamedDependency[ListSignals],
) -> Response[SignalPage]:
    page = await list_signals(actor, ListSignalsCommand(where=parameters.where(), page=paging.request(parameters)))
    return paging.answer(
        parameters, page, lambda signals, info: SignalPage(data=[signal_body(signal) for signal in signals], page=info)
    )


@get("/signals/{signal_id:uuid}", operation_id="getSignal", summary="One signal", opt=described(raises=(SignalNotFound,)))
async def get_signal_handler(
    signal_id: FromPath[UUID], actor: NamedDependency[Actor], get_signal: NamedDependency[GetSignal]
) -> SignalBody:
    return signal_body(await get_signal(actor, GetSignalCommand(signal_id=SignalId(signal_id))))


@get(
    "/signals/{signal_id:uuid}/explanation",
    operation_id="explainSignal",
    summary="A signal computed again from stored candles by the stored model",
    opt=described(raises=(SignalNotFound, Unavailable)),
)
async def explain_signal_handler(
    signal_id: FromPath[UUID], actor: NamedDependency[Actor], explain_signal: NamedDependency[ExplainSignal]
) -> ExplanationBody:
    return explanation_body(await explain_signal(actor, ExplainSignalCommand(signal_id=SignalId(signal_id))))


@get(
    "/decisions",
    operation_id="listDecisions",
    summary="What was decided on each closed candle, newest first",
    dependencies={"parameters": FromQuery(DecisionQuery)},
)
async def list_decisions_handler(
    actor: NamedDependency[Actor],
    parameters: NamedDependency[DecisionQuery],
    paging: NamedDependency[Paging],
    list_decisions: NamedDependency[ListDecisions],
) -> Response[DecisionPage]:
    page = await list_decisions(actor, ListDecisionsCommand(where=parameters.where(), page=paging.request(parameters)))
    return paging.answer(
        parameters, page, lambda decisions, info: DecisionPage(data=[decision_body(item) for item in decisions], page=info)
    )


@get("/series", operation_id="listSeries", summary="Watched series and how fresh their data is")
async def list_series_handler(actor: NamedDependency[Actor], list_series: NamedDependency[ListSeries]) -> SeriesList:
    watched = await list_series(actor, ListSeriesCommand())
    return SeriesList(data=[series_body(series, simulated=SIMULATED) for series in watched])


ROUTES = Router(
    "/trading",
    route_handlers=[
        list_symbols_handler,
        get_candles_handler,
        list_signals_handler,
        get_signal_handler,
        explain_signal_handler,
        list_decisions_handler,
        list_series_handler,
    ],
    tags=["trading"],
)
