"""The whole HTTP application over the memory adapters: what the tests of this folder ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import httpx
from dependency_injector import providers
from litestar import Litestar

from adapters.bridges.market_history import TradingMarketHistory
from adapters.memory.auth.keys import MemoryAuthUnits, MemoryTicketStore
from adapters.memory.candles import MemoryCandleStore
from adapters.memory.database import MemoryDatabase
from adapters.memory.ml import MemoryMlQueries, MemoryMlUnits
from adapters.memory.stream_log import MemoryStreamLog
from adapters.memory.trading import MemoryTradingQueries, MemoryTradingUnits
from entrypoints.container import Container
from entrypoints.http.app import create_app
from entrypoints.http.di import use_cases_of
from entrypoints.http.health import Check, Lifecycle, Readiness
from entrypoints.http.metrics import Metrics
from entrypoints.http.openapi import openapi_document
from entrypoints.http.options import HttpSettings
from entrypoints.http.stream.hub import Hub
from entrypoints.http.stream.routes import stream_routes
from entrypoints.sections import PasswordsSection
from tradingcore.auth.use_cases.authenticate import AuthenticateBearerCommand, IssueStreamTicket, RedeemStreamTicketCommand
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKey, CreateApiKeyCommand
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId
from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.kernel.ports import RateLimiter
from tradingcore.ml.ids import ModelVersionId
from tradingcore.ml.model.features import FeatureMatrix, FeatureRow, FeatureSpec, SeriesProfile
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import FeatureCalculator, ServedModel, ServedModels
from tradingcore.ml.use_cases.list_models import GetModel, ListModels
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemand
from tradingcore.testing.builders import (
    BTC_1H,
    HOUR,
    MONDAY,
    a_closed_candle,
    a_decision,
    a_forecast,
    a_model,
    a_model_version,
    a_series,
    a_signal,
    a_symbol,
    an_actor,
)
from tradingcore.testing.fakes import FakeClock, FakeSecrets, SequentialIds
from tradingcore.trading.ids import ForecastRef, SignalId
from tradingcore.trading.model.outlook import Outlook
from tradingcore.trading.ports import ForecastExplainer, ForecastExplanation
from tradingcore.trading.use_cases.explain_signal import ExplainSignal
from tradingcore.trading.use_cases.get_candles import GetCandles
from tradingcore.trading.use_cases.list_series import ListSeries
from tradingcore.trading.use_cases.list_signals import GetSignal, ListDecisions, ListSignals
from tradingcore.trading.use_cases.list_symbols import ListSymbols

T = TypeVar("T")
Changing = Callable[[Any], Awaitable[Any]]
ORIGIN = "https://app.example"
CANDLES = 48


class NoModels(ServedModels):
    """Nothing is approved."""

    async def champions(self, key: SeriesKey) -> list[tuple[ModelVersion, ServedModel]]:
        return []

    async def version(self, version_id: ModelVersionId) -> tuple[ModelVersion, ServedModel]:
        raise AssertionError("no test asks for it")


class NoFeatures(FeatureCalculator):
    """Stored forecasts need none."""

    def spec(self, profile: SeriesProfile, *, horizon: int, has_volume: bool) -> FeatureSpec:
        raise AssertionError("no test asks for it")

    def knows(self, spec: FeatureSpec) -> bool:
        raise AssertionError("no test asks for it")

    def window(self, candles: CandleSeries, specs: Any) -> list[FeatureRow]:
        raise AssertionError("no test asks for it")

    def warm_up(self) -> None:
        pass

    def matrix(self, candles: CandleSeries, spec: FeatureSpec) -> FeatureMatrix:
        raise AssertionError("no test asks for it")


class RememberedForecast(ForecastExplainer):
    """Explains every forecast by the same outlook, out of distribution: a decision without a signal."""

    async def explain(self, forecast_id: ForecastRef) -> ForecastExplanation:
        outlook = Outlook(
            forecast_id=forecast_id,
            symbol_key=BTC_1H,
            candle=a_signal().decision_candle,
            close=100.0,
            horizons=(),
            feature_hash="f" * 64,
            data_first=a_signal().data_first,
            data_last=a_signal().data_last,
            is_out_of_distribution=True,
        )
        return ForecastExplanation(outlook=outlook, features={4: {"rsi_14": 1.5}}, mismatches=(), lineage={"code_version": "0.1.0"})


@dataclass
class World:
    """Stores, the application over them, and keys of callers."""

    limiter: RateLimiter | None = None
    clock: FakeClock = field(default_factory=lambda: FakeClock(MONDAY + CANDLES * HOUR))
    ids: SequentialIds = field(default_factory=SequentialIds)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    metrics: Metrics = field(default_factory=Metrics)
    readiness: Readiness = field(default_factory=lambda: Readiness((Check(name="storage", is_ok=True),)))
    settings: HttpSettings = field(
        default_factory=lambda: HttpSettings(
            cursor_key=b"c" * 32, pseudonym_key=b"p" * 32, allowed_origins=frozenset({ORIGIN}), deadline_seconds=5.0
        )
    )

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(clock=self.clock)
        queries, candles = MemoryTradingQueries(self.database), MemoryCandleStore(self.database)
        ml_queries = MemoryMlQueries(self.database)
        history = TradingMarketHistory(queries=queries, candles=candles)
        # Accounts need nothing that stands in for something else.
        self.container = Container(storage_kind="memory", passwords=PasswordsSection(bcrypt_cost=4))
        for provider, ours in (
            (self.container.memory, self.database),
            (self.container.clock, self.clock),
            (self.container.ids, self.ids),
            (self.container.secrets, self.secrets),
        ):
            provider.override(providers.Object(ours))
        self.use_cases: dict[str, Callable[[], Any]] = {
            **use_cases_of(self.container),
            "list_symbols": lambda: ListSymbols(candles=candles, queries=queries),
            "get_candles": lambda: GetCandles(candles=candles, queries=queries),
            "list_series": lambda: ListSeries(queries=queries),
            "list_signals": lambda: ListSignals(queries=queries),
            "get_signal": lambda: GetSignal(queries=queries),
            "explain_signal": lambda: ExplainSignal(queries=queries, forecasts=RememberedForecast()),
            "list_decisions": lambda: ListDecisions(queries=queries),
            "list_models": lambda: ListModels(queries=ml_queries),
            "get_model": lambda: GetModel(queries=ml_queries),
            "predict_on_demand": lambda: PredictOnDemand(
                queries=ml_queries, history=history, features=NoFeatures(), models=NoModels(), clock=self.clock, ids=self.ids
            ),
            "issue_stream_ticket": lambda: IssueStreamTicket(
                tickets=MemoryTicketStore(self.database), clock=self.clock, secrets=self.secrets
            ),
        }
        self.app: Litestar = create_app(
            # Looked up when they are called, so that a test can put a failing one in their place.
            {name: self._current(name) for name in self.use_cases},
            settings=self.settings,
            authenticate=self.authenticate,
            readiness=self.probe,
            metrics=self.metrics,
            lifecycle=self.lifecycle,
            limiter=self.limiter,
            stream_routes=stream_routes(
                Hub(MemoryStreamLog(self.clock, self.ids)),
                redeem_ticket=self.redeem,
                authenticate_bearer=self.authenticate,
                recheck=_always,
                allowed_origins=self.settings.allowed_origins,
            ),
        )
        self.lifecycle.started()

    def _current(self, name: str) -> Callable[[], Any]:
        return lambda: self.use_cases[name]()

    async def authenticate(self, presented: AuthenticateBearerCommand, trace_id: TraceId) -> Actor:
        actor: Actor = await self.container.authenticate_bearer()(Actor.anonymous(trace_id), presented)
        return actor

    async def redeem(self, ticket: str, trace_id: TraceId) -> Actor:
        command = RedeemStreamTicketCommand(token=ticket)
        actor: Actor = await self.container.redeem_stream_ticket()(Actor.anonymous(trace_id), command)
        return actor

    async def probe(self) -> Readiness:
        return self.readiness

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, self.app)), base_url="http://test", headers=headers)

    async def client_of(self, role: Role, *, plan: Plan = Plan.PRO) -> httpx.AsyncClient:
        """A client with a new key of that role."""
        create = CreateApiKey(
            uow=MemoryAuthUnits(self.database, self.ids),
            clock=self.clock,
            ids=self.ids,
            secrets=self.secrets,
            environment="test",
        )
        made = await create(Actor.operator(self.ids.new_trace_id()), CreateApiKeyCommand(name="bot", role=role, plan=plan))
        return self.client(authorization=f"Bearer {made.token}")

    async def trading(self, change: Changing) -> None:
        async with MemoryTradingUnits(self.database, self.ids)(an_actor()) as unit:
            await change(unit)

    async def ml(self, change: Changing) -> None:
        async with MemoryMlUnits(self.database, self.ids)(an_actor()) as unit:
            await change(unit)

    async def furnish(self) -> None:
        """One symbol with two days of candles, a watched series, signals, decisions, a model with a version, a forecast."""
        series = a_series(CANDLES)

        async def chunks() -> Any:
            yield series

        async def trading(unit: Any) -> None:
            await unit.symbols.save(a_symbol())
            await unit.live_series.save(a_closed_candle(candle=series[CANDLES - 1]))
            for index in range(5):
                candle = series[index].open_time
                await unit.signals.save(
                    a_signal(
                        decision_candle=candle, id=SignalId(self.ids.new_id()), probability=0.4 + index / 100, feature_hash="f" * 64
                    )
                )
                await unit.decisions.save(a_decision(candle=candle))

        async def ml(unit: Any) -> None:
            model = await unit.models.save(a_model())
            version = await unit.models.add_version(a_model_version(model))
            await unit.models.save(replace(model, champion_id=version.id))
            await unit.forecasts.save(a_forecast(candle=series[CANDLES - 1].open_time))

        await self.trading(trading)
        await MemoryCandleStore(self.database).merge(BTC_1H, chunks(), replace=False)
        await self.ml(ml)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document of the application."""
        return openapi_document(self.app, version=self.settings.version)

    @property
    def signal_id(self) -> str:
        return str(next(iter(self.database.signals.rows)))

    @property
    def model_id(self) -> str:
        return str(next(iter(self.database.models.rows)))


async def _always(actor: Actor) -> bool:
    return True


def a_furnished_world(**overrides: Any) -> World:
    """Synchronously, for fixtures and property tests that live longer than one event loop."""
    world = World(**overrides)
    run(world.furnish())
    return world


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in a loop of its own."""
    with asyncio.Runner() as runner:
        return runner.run(work)
