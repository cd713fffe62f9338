"""P7: replay through the live event path in memory, with stubbed predictions and with real models.

``python -m benchmarks.replay_path [CANDLES]``. *Ours* is everything from the candle to the decision: use cases, units of work,
outbox, relay, reactions. Stubbed predictions leave features and trees out; their peer is the limit of 60 us a candle
(nautilus_trader needs 93 to 183 us a bar, performance.md). With models the peer is the bare work of the models on the same windows.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any, Final

from adapters.market_data.simulated import SimulatedCandleSource, SimulatedMarket
from benchmarks._measure import Runs, report
from entrypoints.container import Container
from entrypoints.demo.plan import SIMULATED_START
from entrypoints.relay import Relay
from entrypoints.worker import close_candle
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.model.features import FeatureRow
from tradingcore.ml.ports import DEMO, FeatureCalculator, ServedModels
from tradingcore.ml.use_cases.make_forecast import forecast_window
from tradingcore.ml.use_cases.train_models import TrainModelsCommand
from tradingcore.trading.ports import FeedCandle
from tradingcore.trading.use_cases.import_candles import ImportCandlesCommand

KEY: Final = SeriesKey(SymbolCode("EUR/USD"), Timeframe.H1)
STORED: Final = 3_000
CANDLES: Final = 400
RUNS: Final = 5
LIMIT_SECONDS: Final = 60e-6


class NoProgress:
    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        pass


@dataclass
class StubbedModels:
    """Features and forecasts of one candle, given for every candle."""

    served: Sequence[Any]
    row: FeatureRow

    def spec(self, *_: Any, **__: Any) -> Any:
        return self.row.spec

    def knows(self, spec: Any) -> bool:
        return True

    def window(self, candles: CandleSeries, specs: Sequence[Any]) -> Sequence[FeatureRow]:
        return [self.row for _ in specs]

    def matrix(self, *_: Any) -> Any:
        raise TypeError("not part of serving")

    async def champions(self, key: SeriesKey) -> Sequence[Any]:
        return self.served

    async def version(self, version_id: Any) -> Any:
        return self.served[0]


@dataclass(frozen=True)
class StubbedModel:
    spec: Any
    forecast: Any

    def predict(self, row: FeatureRow) -> Any:
        return self.forecast


async def replay(container: Container, candles: CandleSeries) -> float:
    """Seconds per candle."""
    relay = Relay(container.outbox(), container.reactions())
    feed: Any = None
    begun = perf_counter()
    for candle in candles:
        received_at = KEY.timeframe.close_of(candle.open_time)
        await close_candle(container, feed, FeedCandle(key=KEY, candle=candle, received_at=received_at, source="simulated"))
        await relay.drain()
    return (perf_counter() - begun) / len(candles)


async def measure(count: int) -> None:
    container = Container(storage_kind="memory")
    actor = Actor.operator(container.ids().new_trace_id())
    market = SimulatedMarket(seed=11)
    candles = market.candles(KEY, SIMULATED_START, SIMULATED_START + timedelta(hours=2 * STORED)).slice(0, STORED)
    stop = candles.last_open_time + KEY.timeframe.duration
    source = SimulatedCandleSource(market, SIMULATED_START, stop)
    await container.import_candles()(actor, ImportCandlesCommand(key=KEY, source=source))
    total = (RUNS + 1) * 2 * count
    replayed = candles.slice(len(candles) - min(total, len(candles) // 3), len(candles))
    await container.train_models()(
        actor, TrainModelsCommand(key=KEY, training=DEMO, progress=NoProgress(), stop=replayed.first_open_time)
    )
    part = len(replayed) // (2 * (RUNS + 1))
    served = await container.models().champions(KEY)
    real, stubbed = await models_and_stubs(container, candles, served)
    with_models: Runs = []
    with_stubs: Runs = []
    for run in range(RUNS + 1):
        pieces = [replayed.slice((2 * run + half) * part, (2 * run + half + 1) * part) for half in (0, 1)]
        bare = await bare_models(container, pieces[0], served)
        container.features.override(real[0])
        container.models.override(real[1])
        ours = await replay(container, pieces[0])
        container.features.override(stubbed)
        container.models.override(stubbed)
        quick = await replay(container, pieces[1])
        if run:  # the first run warms up
            with_models.append((ours, bare))
            with_stubs.append((quick, LIMIT_SECONDS))
    report("replay_with_stubbed_predictions", with_stubs, n=part, packages=("dependency-injector",), must_be_at_most=1.0)
    report("replay_with_models", with_models, n=part, packages=("xgboost-cpu", "numba"), must_be_at_most=1.3)


async def models_and_stubs(container: Container, candles: CandleSeries, served: Sequence[Any]) -> tuple[Any, Any]:
    window = await forecast_window(container.history(), KEY, candles.last_open_time, served)
    features: FeatureCalculator = container.features()
    models: ServedModels = container.models()
    (row,) = features.window(window, [served[0][1].spec])
    stub = StubbedModel(spec=row.spec, forecast=served[0][1].predict(row))
    return (features, models), StubbedModels(served=[(served[0][0], stub)], row=row)


async def bare_models(container: Container, candles: CandleSeries, served: Sequence[Any]) -> float:
    """Seconds per candle of features and prediction alone."""
    features = container.features()
    windows = [await forecast_window(container.history(), KEY, candle.open_time, served) for candle in candles]
    begun = perf_counter()
    for window in windows:
        for (_, model), row in zip(served, features.window(window, [model.spec for _, model in served]), strict=True):
            model.predict(row)
    return (perf_counter() - begun) / len(windows)


def main() -> None:
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else CANDLES))


if __name__ == "__main__":
    main()
