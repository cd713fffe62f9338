"""Train the models of a series and keep what comes out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tradingcore import __version__
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import InvalidInput, StaleVersion
from tradingcore.kernel.market import CandleSeries, SeriesKey
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.ids import BundleDigest, ModelId, ModelVersionId
from tradingcore.ml.model.features import SeriesProfile
from tradingcore.ml.model.model_version import Model, ModelVersion
from tradingcore.ml.ports import (
    BlobStore,
    MarketHistory,
    MlUnitOfWork,
    ModelTrainer,
    TrainedModel,
    TrainingProfile,
    TrainingProgress,
    TrainingRequest,
)

DEFAULT_SEED = 20_260
KEEP_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainModelsCommand:
    """``horizon`` trains one; ``None`` those of the profile. Candles from ``stop`` on are never looked at.

    ``approve`` makes each version the one that serves: an approved model may still have no edge, and says so.
    """

    key: SeriesKey
    training: TrainingProfile
    progress: TrainingProgress
    horizon: int | None = None
    stop: datetime | None = None
    seed: int = DEFAULT_SEED
    approve: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainModels(UseCase[TrainModelsCommand, tuple[ModelVersion, ...]]):
    """Train one model per horizon by purged walk-forward; each is stored, with its figures, as soon as it is ready.

    Raises `NotFound`, `NotEnoughHistory`, `DataUnfit`.
    """

    permission: ClassVar[Permission] = Permission.MODELS_MANAGE
    uow: UnitOfWorkFactory[MlUnitOfWork]
    history: MarketHistory
    trainer: ModelTrainer
    blobs: BlobStore
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: TrainModelsCommand) -> tuple[ModelVersion, ...]:
        profile = await self.history.profile(command.key)
        candles = await self.history.history(command.key, stop=command.stop)
        versions = []
        for horizon in _horizons(command, profile):
            request = TrainingRequest(profile=profile, horizon=horizon, training=command.training, seed=command.seed)
            trained = await self.trainer.train(request, candles, command.progress)
            versions.append(await self._keep(actor, command, candles, horizon, trained))
        return tuple(versions)

    async def _keep(
        self, actor: Actor, command: TrainModelsCommand, candles: CandleSeries, horizon: int, trained: TrainedModel
    ) -> ModelVersion:
        digest = await self.blobs.put(trained.bundle)
        for _ in range(KEEP_ATTEMPTS):
            # Two trainings that end together want the same number. Hours of work are worth asking for the next one.
            with suppress(StaleVersion):
                return await self._add_version(actor, command, candles, horizon, trained, digest)
        raise StaleVersion(f"the model of {command.key}, horizon {horizon}, is being changed all the time: train it again")

    async def _add_version(
        self,
        actor: Actor,
        command: TrainModelsCommand,
        candles: CandleSeries,
        horizon: int,
        trained: TrainedModel,
        digest: BundleDigest,
    ) -> ModelVersion:
        now = self.clock.now()
        async with self.uow(actor) as unit:
            model = await unit.models.find(command.key, horizon) or await unit.models.save(
                Model(
                    id=ModelId(self.ids.new_id()),
                    symbol=command.key.symbol,
                    timeframe=command.key.timeframe,
                    horizon=horizon,
                    created_at=now,
                )
            )
            version = await unit.models.add_version(
                ModelVersion(
                    id=ModelVersionId(self.ids.new_id()),
                    model_id=model.id,
                    symbol=model.symbol,
                    timeframe=model.timeframe,
                    horizon=horizon,
                    number=await unit.models.next_number(model.id),
                    created_at=now,
                    bundle_sha256=digest,
                    feature_spec_hash=trained.spec.hash,
                    feature_names=trained.spec.names,
                    data_hash=trained.data_hash,
                    data_first=candles.first_open_time,
                    data_last=candles.last_open_time,
                    code_version=__version__,
                    seed=command.seed,
                    profile=command.training.name,
                    evaluation=trained.evaluation,
                    folds=trained.folds,
                )
            )
            if command.approve:
                await unit.models.save(replace(model, champion_id=version.id))
        return version


def _horizons(command: TrainModelsCommand, profile: SeriesProfile) -> tuple[int, ...]:
    if command.horizon is None:
        return profile.default_horizons[: command.training.horizons]
    if not 1 <= command.horizon <= 500:
        raise InvalidInput(f"a horizon is 1 to 500 candles, was {command.horizon}")
    return (command.horizon,)
