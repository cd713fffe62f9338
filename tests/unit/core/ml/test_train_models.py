"""What training keeps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.memory.ml import MemoryMlUnit, MemoryMlUnits
from tests.unit.core.ml.world import FIVE, Learning
from tests.unit.core.stand_ins import QuickTrainer
from tradingcore.kernel.errors import InvalidInput, NotFound
from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import DEMO, FULL, TrainingProgress
from tradingcore.ml.use_cases.train_models import TrainModels, TrainModelsCommand
from tradingcore.testing.builders import BTC_1H, an_actor


@dataclass
class Heard(TrainingProgress):
    steps: list[tuple[int, str]] = field(default_factory=list)

    def advanced(self, key: SeriesKey, *, horizon: int, step: str, done: int, total: int) -> None:
        self.steps.append((horizon, step))


async def train(learning: Learning, trainer: QuickTrainer | None = None, **overrides: Any) -> tuple[ModelVersion, ...]:
    use_case = TrainModels(
        uow=learning.units,
        history=learning.history,
        trainer=trainer or QuickTrainer(),
        blobs=learning.blobs,
        clock=learning.clock,
        ids=learning.ids,
    )
    fields: dict[str, Any] = {"key": BTC_1H, "training": FULL, "progress": Heard()}
    return await use_case(an_actor(), TrainModelsCommand(**(fields | overrides)))


async def test_every_default_horizon_becomes_a_version_that_serves() -> None:
    learning = await Learning().with_candles()
    progress = Heard()
    versions = await train(learning, progress=progress)
    assert [version.horizon for version in versions] == [4, 24]
    assert list(await learning.queries.champions(BTC_1H)) == list(versions)
    assert progress.steps == [(4, "trained"), (24, "trained")]
    for version in versions:
        assert await learning.blobs.get(version.bundle_sha256)
        assert (version.number, version.data_first, version.data_last) == (1, FIVE[0].open_time, FIVE[-1].open_time)


async def test_profile_limits_the_horizons_and_one_can_be_chosen() -> None:
    learning = await Learning().with_candles()
    assert [version.horizon for version in await train(learning, training=DEMO)] == [4]
    assert [version.horizon for version in await train(learning, horizon=9)] == [9]
    with pytest.raises(InvalidInput, match="was 0"):
        await train(learning, horizon=0)


async def test_training_again_makes_the_next_version() -> None:
    learning = await Learning().with_candles()
    await train(learning, horizon=4)
    (second,) = await train(learning, horizon=4)
    assert (second.number, list(await learning.queries.champions(BTC_1H))) == (2, [second])


async def test_unapproved_version_is_kept_and_does_not_serve() -> None:
    learning = await Learning().with_candles()
    (first,) = await train(learning, horizon=4)
    (second,) = await train(learning, horizon=4, approve=False)
    assert list(await learning.queries.champions(BTC_1H)) == [first]
    assert await learning.queries.get_version(second.id) == second


async def test_candles_from_the_stop_on_are_never_seen() -> None:
    learning, trainer = await Learning().with_candles(), QuickTrainer()
    (version,) = await train(learning, trainer, horizon=4, stop=FIVE[3].open_time)
    assert list(trainer.candles[0]) == list(FIVE[:3])
    assert version.data_last == FIVE[2].open_time


async def test_trainings_that_end_together_are_all_kept() -> None:
    learning = await Learning().with_candles()

    class SlowUnit(MemoryMlUnit):
        async def __aexit__(self, *error: Any) -> None:
            await asyncio.sleep(0)
            await super().__aexit__(*error)

    class SlowUnits(MemoryMlUnits):
        unit = SlowUnit

    learning.units = SlowUnits(learning.database, learning.ids)
    done = await asyncio.gather(*(train(learning, horizon=4, seed=seed) for seed in range(4)))
    assert sorted(version.number for (version,) in done) == [1, 2, 3, 4]


async def test_unknown_symbol_and_empty_series_are_not_found() -> None:
    with pytest.raises(NotFound, match="there is no symbol"):
        await train(Learning())
    with pytest.raises(NotFound, match="no candles"):
        await train(await Learning().with_candles(()))
