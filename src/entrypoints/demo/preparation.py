"""Before the replay: candles in the store, a model that never saw the last of them, the live path set to start there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from entrypoints.cli.exits import CommandFailed
from entrypoints.demo.children import child
from entrypoints.demo.display import Display
from entrypoints.demo.plan import REPLAYED_CANDLES, SIMULATED_SEED, SIMULATED_SPAN, SIMULATED_START, DemoPlan, DemoSeries
from entrypoints.platform import Platform
from entrypoints.relay import Relay
from entrypoints.replay import rewind_series
from entrypoints.settings import Settings
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.trading.ports import CandleSource
from tradingcore.trading.use_cases.import_candles import ImportCandlesCommand, ImportProgress

LONGEST_CLOSURE: Final = timedelta(days=4)
"""A market may be closed for so long before the end of the simulated span."""

AT_A_TIME: Final = 2
"""Models trained at once, each in a process of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSeries:
    """``start`` is the first candle of the replay, ``count`` how many candles it has."""

    series: DemoSeries
    start: datetime
    stop: datetime
    count: int
    stored: int
    versions: Sequence[ModelVersion] = ()

    @property
    def key(self) -> SeriesKey:
        return self.series.key


def candle_source(series: DemoSeries) -> CandleSource:
    if series.file is not None:
        from adapters.market_data.files import open_candle_source

        return open_candle_source(series.file)
    from adapters.market_data.simulated import SimulatedCandleSource, SimulatedMarket

    return SimulatedCandleSource(SimulatedMarket(seed=SIMULATED_SEED), SIMULATED_START, SIMULATED_START + SIMULATED_SPAN)


async def import_series(platform: Platform, actor: Actor, series: DemoSeries, display: Display) -> PreparedSeries:
    """Store the candles of a series (the second time nothing changes) and find where its replay starts."""
    candles = platform.container.candles()
    extent = await candles.extent(series.key)
    if series.file is not None or extent is None or extent.last < SIMULATED_START + SIMULATED_SPAN - LONGEST_CLOSURE:
        await _import(platform, actor, series, display)
        extent = await candles.extent(series.key)
        assert extent is not None, "an import without candles is refused before"
    if extent.count < 2 * REPLAYED_CANDLES:
        raise CommandFailed(f"{series.key} has {extent.count:,} candles, a demo needs at least {2 * REPLAYED_CANDLES:,}")
    tail = await candles.window(series.key, last=extent.last, count=REPLAYED_CANDLES)
    display.done(f"{series.key}: {extent.count:,} {series.source} candles, the last {len(tail)} kept back for the replay")
    return PreparedSeries(
        series=series,
        start=tail.first_open_time,
        stop=extent.last + series.key.timeframe.duration,
        count=len(tail),
        stored=extent.count,
    )


async def _import(platform: Platform, actor: Actor, series: DemoSeries, display: Display) -> None:
    def advanced(progress: ImportProgress) -> None:
        display.progress(f"importing {series.key}", f"{progress.rows_read:,} candles")

    report = await platform.container.import_candles()(
        actor, ImportCandlesCommand(key=series.key, source=candle_source(series), on_progress=advanced)
    )
    if report.rejected:
        display.done(f"{series.key}: {report.rejected:,} rows of the file are no candles and were left out")
    extent = await platform.container.candles().extent(series.key)
    if report.counts.differing or (extent is not None and (extent.first, extent.last) != (report.first, report.last)):
        raise CommandFailed(
            f"other candles of {series.key} are stored than those of {series.file or 'the simulated market'}: "
            "repeat with --reset, or give another --data-dir"
        )


async def train_all(
    platform: Platform, prepared: Sequence[PreparedSeries], plan: DemoPlan, display: Display
) -> list[PreparedSeries]:
    """Give every series a model that saw nothing of its replay; one that an earlier demo trained is used again."""
    slots = asyncio.Semaphore(AT_A_TIME)

    async def trained(one: PreparedSeries) -> PreparedSeries:
        versions = await _usable_versions(platform, one, plan)
        if not versions:
            async with slots:
                await _train(platform.settings, one, plan, display)
            versions = await _usable_versions(platform, one, plan)
        return PreparedSeries(
            series=one.series, start=one.start, stop=one.stop, count=one.count, stored=one.stored, versions=versions
        )

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(trained(one)) for one in prepared]
    return [task.result() for task in tasks]


async def _usable_versions(platform: Platform, one: PreparedSeries, plan: DemoPlan) -> Sequence[ModelVersion]:
    versions = await platform.container.ml_queries().champions(one.key)
    return [
        version
        for version in versions
        if version.profile == plan.training.name and one.start - timedelta(days=7) <= version.data_last < one.start
    ]


async def _train(settings: Settings, one: PreparedSeries, plan: DemoPlan, display: Display) -> None:
    arguments = [
        *global_options(settings),
        "--json",
        "ml",
        "train",
        *("--symbol", one.key.symbol),
        *("--timeframe", one.key.timeframe.value),
        *("--profile", plan.training.name),
        *("--stop", one.start.isoformat()),
    ]
    async with child(
        f"training {one.key}", arguments, on_line=lambda line: display.progress(f"training {one.key}", line)
    ) as process:
        for document in await process.document():
            display.trained(document)


def global_options(settings: Settings) -> list[str]:
    """What makes a child use our storage."""
    return ["--data-dir", str(settings.data_dir), "--storage", settings.storage]


async def rewind_all(platform: Platform, actor: Actor, prepared: Sequence[PreparedSeries]) -> None:
    """Forget an earlier replay of the same candles, after what it left half-way has come to its end."""
    if (await platform.container.outbox().status()).open:
        await Relay(platform.container.outbox(), platform.container.reactions()).drain()
    for one in prepared:
        await rewind_series(platform.container, actor, one.key, first=one.start, source=one.series.source)


def model_documents(prepared: Sequence[PreparedSeries]) -> list[dict[str, Any]]:
    return [
        {
            "symbol": version.symbol,
            "timeframe": version.timeframe.value,
            "horizon": version.horizon,
            "skill": dict(version.evaluation.skill),
            "bundle_sha256": version.bundle_sha256,
        }
        for one in prepared
        for version in one.versions
    ]
