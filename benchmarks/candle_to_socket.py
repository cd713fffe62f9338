"""P4: from a closed candle to a message on a subscriber's socket, against the sum of its bare parts; and 50 symbols at once.

``python -m benchmarks.candle_to_socket [CANDLES]``. The platform as users run it: a durable embedded PostgreSQL, the API and the
worker as processes of their own; this process is the feed and the subscriber. Every candle yields a signal, because the floors of
the symbol are set so. *Bare* is what cannot be avoided: the features of the window, the prediction, three committed rows over
asyncpg one after the other, and one message over a loopback WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import asyncpg
import websockets

from adapters.market_data.simulated import SimulatedCandleSource, SimulatedMarket
from benchmarks._measure import report
from entrypoints.demo.audience import Audience, listening
from entrypoints.demo.children import child
from entrypoints.demo.plan import SIMULATED_START
from entrypoints.demo.preparation import global_options
from entrypoints.platform import Platform, ProcessKind, migrator_of, running
from entrypoints.settings import Settings, load
from entrypoints.worker import close_candle
from tradingcore.auth.use_cases.manage_api_keys import CreateApiKeyCommand
from tradingcore.kernel.authz import Actor, Role
from tradingcore.kernel.market import Candle, CandleSeries, SeriesKey, SymbolCode, Timeframe
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.ml.ports import DEMO
from tradingcore.ml.use_cases.make_forecast import compute_forecast, forecast_window
from tradingcore.ml.use_cases.train_models import TrainModelsCommand
from tradingcore.processes.wire import rfc3339
from tradingcore.trading.model.symbol import Cost
from tradingcore.trading.ports import FeedCandle, MarketDataFeed
from tradingcore.trading.use_cases.import_candles import ImportCandlesCommand
from tradingcore.trading.use_cases.set_symbol import SetSymbolCommand, SymbolSettings

KEY: Final = SeriesKey(SymbolCode("EUR/USD"), Timeframe.H1)
STORED: Final = 3_000
CANDLES: Final = 200
WARM_UP: Final = 10
"""Candles before those that count: connections are made, statements prepared and the model is loaded."""

SYMBOLS: Final = 50
BARE_RUNS: Final = 200
LIMIT_SECONDS: Final = 20.0


class NoProgress:
    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        pass


class NoFeed(MarketDataFeed):
    """Candles are pushed by hand; there is nothing to fill gaps with."""

    async def closed_candles(self) -> Any:
        return
        yield

    async def backfill(self, key: SeriesKey, **_: Any) -> Sequence[Any]:
        return ()


async def prepare(platform: Platform, actor: Actor, count: int) -> tuple[CandleSeries, ModelVersion]:
    """Candles, of which the last ``count`` are still to come, their model, and a symbol that makes a signal of every candle."""
    container = platform.container
    market = SimulatedMarket(seed=11)
    candles = market.candles(KEY, SIMULATED_START, SIMULATED_START + timedelta(hours=2 * STORED)).slice(0, STORED)
    source = SimulatedCandleSource(market, SIMULATED_START, candles[STORED - count].open_time)
    await container.import_candles()(actor, ImportCandlesCommand(key=KEY, source=source))
    await loosen(platform, actor, KEY.symbol)
    (version,) = await container.train_models()(actor, TrainModelsCommand(key=KEY, training=DEMO, progress=NoProgress()))
    return candles, version


async def loosen(platform: Platform, actor: Actor, symbol: SymbolCode) -> None:
    nothing = Cost(Decimal(0))
    settings = SymbolSettings(
        half_spread=nothing, slippage=nothing, minimum_risk_reward=Decimal(0), minimum_expected_value_r=Decimal(-5)
    )
    await platform.container.set_symbol()(actor, SetSymbolCommand(code=symbol, settings=settings))


async def one_by_one(platform: Platform, audience: Audience, candles: CandleSeries, count: int) -> list[float]:
    """Seconds from the arrival of each candle to its signal on the socket; each candle waits for the signal before it."""
    seconds = []
    for candle in candles.slice(len(candles) - count, len(candles)):
        which = (KEY.symbol, KEY.timeframe.value, rfc3339(candle.open_time))
        begun = perf_counter()
        arrival = FeedCandle(key=KEY, candle=candle, received_at=KEY.timeframe.close_of(candle.open_time), source="simulated")
        await close_candle(platform.container, NoFeed(), arrival)
        await heard(audience, [which])
        seconds.append(audience.received_at[which] - begun)
    return seconds


async def all_at_once(platform: Platform, actor: Actor, audience: Audience, candles: CandleSeries, version: ModelVersion) -> float:
    """Seconds until the last of 50 symbols that close together is heard. Their candle before that has the models loaded."""
    keys = [SeriesKey(SymbolCode(f"T{number:02}/USD"), KEY.timeframe) for number in range(SYMBOLS)]
    market = SimulatedMarket(seed=11)
    container = platform.container
    before, last = candles[len(candles) - 2], candles[len(candles) - 1]
    for key in keys:
        copied = CandleSeries(key, *(getattr(candles, name) for name in CandleSeries.__slots__[1:])).slice(0, len(candles) - 2)

        class Copy(SimulatedCandleSource):
            async def chunks(self, key: SeriesKey, copied: CandleSeries = copied) -> Any:
                from tradingcore.trading.ports import CandleChunk

                yield CandleChunk(candles=copied, rows_read=len(copied))

        await container.import_candles()(
            actor, ImportCandlesCommand(key=key, source=Copy(market, SIMULATED_START, SIMULATED_START))
        )
        await loosen(platform, actor, key.symbol)
        await share(platform, actor, key, version)
    await close_together(platform, audience, keys, before)
    return await close_together(platform, audience, keys, last)


async def close_together(platform: Platform, audience: Audience, keys: Sequence[SeriesKey], candle: Candle) -> float:
    which = [(key.symbol, key.timeframe.value, rfc3339(candle.open_time)) for key in keys]
    received_at = KEY.timeframe.close_of(candle.open_time)
    begun = perf_counter()
    arrivals = [FeedCandle(key=key, candle=candle, received_at=received_at, source="simulated") for key in keys]
    await asyncio.gather(*(close_candle(platform.container, NoFeed(), arrival) for arrival in arrivals))
    await heard(audience, which)
    return max(audience.received_at[one] for one in which) - begun


async def share(platform: Platform, actor: Actor, key: SeriesKey, version: ModelVersion) -> None:
    """Let the one trained bundle serve another symbol."""
    container = platform.container
    async with container.ml_uow()(actor) as unit:
        model = await unit.models.save(
            Model(
                id=ModelId(container.ids().new_id()),
                symbol=key.symbol,
                timeframe=key.timeframe,
                horizon=version.horizon,
                created_at=version.created_at,
            )
        )
        copy = replace(
            version, id=ModelVersionId(container.ids().new_id()), model_id=model.id, symbol=key.symbol, number=1, version=0
        )
        saved = await unit.models.add_version(copy)
        await unit.models.save(replace(model, champion_id=saved.id))


async def heard(audience: Audience, which: Sequence[tuple[str, str, str]]) -> None:
    deadline = perf_counter() + LIMIT_SECONDS
    while any(one not in audience.received_at for one in which):
        if perf_counter() > deadline:
            raise SystemExit(f"{sum(one not in audience.received_at for one in which)} signals did not come in {LIMIT_SECONDS} s")
        await asyncio.sleep(0.0005)


async def bare_parts(platform: Platform, candles: CandleSeries) -> list[float]:
    """Seconds of the unavoidable work for one candle, again and again."""
    container = platform.container
    served = await container.models().champions(KEY)
    window = await forecast_window(container.history(), KEY, candles.last_open_time, served)
    assert platform.migrator is not None
    from adapters.postgres.roles import DatabaseRole

    address = platform.migrator.address(DatabaseRole.WORKER)
    connection = await asyncpg.connect(**address.connect_arguments())
    arrived = asyncio.Event()

    async def hear(socket: Any) -> None:
        async for _ in socket:
            arrived.set()

    message = json.dumps({"op": "event", "data": "x" * 1200})
    statement = "insert into public.inbox (handler, event_id) values ('benchmark.bare', $1)"
    seconds = []
    async with websockets.serve(hear, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}") as socket:
            for _ in range(BARE_RUNS):
                arrived.clear()
                begun = perf_counter()
                compute_forecast(
                    served,
                    container.features(),
                    window,
                    key=KEY,
                    id=ForecastId(container.ids().new_id()),
                    made_at=container.clock().now(),
                    trace_id=container.ids().new_trace_id(),
                )
                for _ in range(3):
                    async with connection.transaction():
                        await connection.execute(statement, container.ids().new_id())
                await socket.send(message)
                await arrived.wait()
                seconds.append(perf_counter() - begun)
    await connection.close()
    return seconds


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(settings: Settings, count: int) -> None:
    options = global_options(settings)
    async with migrator_of(settings) as migrator:
        await migrator.up()
        async with running(settings, ProcessKind.OPERATOR) as platform:
            actor = Actor.operator(platform.container.ids().new_trace_id())
            candles, version = await prepare(platform, actor, count + WARM_UP)
            key = await platform.container.create_api_key()(actor, CreateApiKeyCommand(name="benchmark", role=Role.TRADER))
            serve = [*options, "--json", "serve", "--port", "0", "--stop-with-stdin"]
            worker = [*options, "--json", "worker", "--stop-with-stdin"]
            async with child("the API", serve) as api, child("the worker", worker) as relay:
                address = (await api.document())["address"]
                await relay.document()
                async with listening(address, key.token, lambda _: None) as audience:
                    flow = (await one_by_one(platform, audience, candles, count + WARM_UP))[WARM_UP:]
                    bare = await bare_parts(platform, candles)
                    burst = await all_at_once(platform, actor, audience, candles, version)
    for share in (0.5, 0.99):
        ours, theirs = percentile(flow, share), percentile(bare, share)
        report(
            f"candle_to_socket_p{share * 100:.0f}",
            [(ours, theirs)] * 2,
            n=count,
            packages=("asyncpg", "litestar", "xgboost-cpu"),
            must_be_at_most=3.0 if share == 0.5 else 10.0,
        )
    report("fifty_symbols_at_once", [(burst, 1.0)] * 2, n=SYMBOLS, packages=("asyncpg",), must_be_at_most=1.0, median=median(flow))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CANDLES
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(load(flags={"data_dir": Path(folder)}).values, count))


if __name__ == "__main__":
    main()
