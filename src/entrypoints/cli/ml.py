from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.parameters import SYMBOL, TIME, TIMEFRAME
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe
from tradingcore.kernel.page import MAXIMUM_LIMIT, PageRequest
from tradingcore.ml.ids import ModelId
from tradingcore.ml.model.model_version import BASELINES, ModelVersion
from tradingcore.ml.model.verdict import verdict_on
from tradingcore.ml.ports import DEMO, FULL
from tradingcore.ml.queries import ModelView
from tradingcore.ml.use_cases.list_models import GetModelCommand, ListModelsCommand
from tradingcore.ml.use_cases.train_models import DEFAULT_SEED, TrainModelsCommand

PROFILES = {profile.name: profile for profile in (FULL, DEMO)}


@click.group()
def ml() -> None:
    """Train models and see how good they are."""


@ml.command()
@click.option("--symbol", type=SYMBOL, required=True, help="Such as BTC/USDT, EUR/USD or AAPL.")
@click.option("--timeframe", type=TIMEFRAME, required=True, help="Of its candles.")
@click.option("--horizon", type=click.IntRange(1, 500), help="Candles ahead; default: those of the profile.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default=FULL.name, show_default=True, help="How thoroughly to train.")
@click.option("--stop", type=TIME, help="Never look at candles from here on.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="The same seed gives the same model.")
@click.option("--approve/--no-approve", default=True, show_default=True, help="Let the new version serve.")
@command_body
async def train(
    session: Session,
    symbol: SymbolCode,
    timeframe: Timeframe,
    horizon: int | None,
    profile: str,
    stop: datetime | None,
    seed: int,
    approve: bool,
) -> None:
    """Train by purged walk-forward and print the skill against every baseline."""
    from entrypoints.cli.operator import operator

    with session.progress() as bars:
        progress = TrainingBars(session, bars)
        async with operator(session) as (container, actor):
            versions = await container.train_models()(
                actor,
                TrainModelsCommand(
                    key=SeriesKey(symbol, timeframe),
                    training=PROFILES[profile],
                    progress=progress,
                    horizon=horizon,
                    stop=stop,
                    seed=seed,
                    approve=approve,
                ),
            )
    if session.is_json:
        session.document([version_document(version) for version in versions])
        return
    show_skill(session, versions)


@ml.command()
@click.argument("model_id", type=click.UUID, required=False)
@click.option("--symbol", type=SYMBOL, help="Only of this one; with --timeframe.")
@click.option("--timeframe", type=TIMEFRAME, help="Only of this one; with --symbol.")
@command_body
async def models(session: Session, model_id: UUID | None, symbol: SymbolCode | None, timeframe: Timeframe | None) -> None:
    """The models with the versions that serve; with MODEL_ID every version of one."""
    from entrypoints.cli.operator import operator

    if (symbol is None) != (timeframe is None):
        raise click.UsageError("--symbol and --timeframe go together")
    views: list[ModelView] = []
    async with operator(session) as (container, actor):
        if model_id is not None:
            views.append(await container.get_model()(actor, GetModelCommand(model_id=ModelId(model_id))))
        else:
            key = None if symbol is None or timeframe is None else SeriesKey(symbol, timeframe)
            after = None
            while True:
                command = ListModelsCommand(key=key, page=PageRequest(limit=MAXIMUM_LIMIT, after=after))
                page = await container.list_models()(actor, command)
                views += page.items
                after = page.next
                if after is None:
                    break
    versions = [version for view in views for version in view.versions]
    if session.is_json:
        session.document([version_document(version) for version in versions])
        return
    show_skill(session, versions)


class TrainingBars:
    """Shows how training goes on: a bar per model on a terminal, a line per step elsewhere."""

    def __init__(self, session: Session, bars: Any) -> None:
        self._session = session
        self._bars = bars
        self._tasks: dict[tuple[SeriesKey, int], Any] = {}

    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        name = f"training {key} h{horizon}"
        if self._bars.disable:
            self._session.note(f"{name}: {step} ({done} of {total})")
            return
        task = self._tasks.get((key, horizon))
        if task is None:
            task = self._tasks[key, horizon] = self._bars.add_task(name, total=total, note="")
        self._bars.update(task, completed=done, note=step)


def version_document(version: ModelVersion) -> dict[str, Any]:
    evaluation = version.evaluation
    return {
        "id": str(version.id),
        "model_id": str(version.model_id),
        "label": version.label,
        "symbol": version.symbol,
        "timeframe": version.timeframe.value,
        "horizon": version.horizon,
        "skill": dict(evaluation.skill),
        "coverage": evaluation.coverage,
        "folds": evaluation.folds,
        "test_rows": evaluation.test_rows,
        "metrics": dict(evaluation.metrics),
        "bundle_sha256": version.bundle_sha256,
        "feature_spec_hash": version.feature_spec_hash,
        "data_hash": version.data_hash,
        "data_first": version.data_first.isoformat(),
        "data_last": version.data_last.isoformat(),
        "profile": version.profile,
        "seed": version.seed,
        "verdict": verdict_on(version.evaluation).sentence,
    }


def show_skill(session: Session, versions: list[ModelVersion] | tuple[ModelVersion, ...]) -> None:
    """The table of skill, in per cent better than each baseline, and one honest sentence per model."""
    rows = [
        (
            version.label,
            *(f"{100 * version.evaluation.skill[name]:+.1f}" for name in BASELINES),
            f"{100 * version.evaluation.coverage:.1f}",
            version.evaluation.test_rows,
        )
        for version in versions
    ]
    session.table(("model", *(f"vs {name} %" for name in BASELINES), "80 % interval holds", "test candles"), rows)
    for version in versions:
        session.note(f"{version.label}: {verdict_on(version.evaluation).sentence}")
