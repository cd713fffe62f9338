from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.kernel.use_case import UseCase
from tradingcore.ml.ids import ModelId
from tradingcore.ml.queries import MlQueries, ModelView


@dataclass(frozen=True, slots=True, kw_only=True)
class ListModelsCommand:
    key: SeriesKey | None = None
    page: PageRequest = PageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListModels(UseCase[ListModelsCommand, Page[ModelView]]):
    """Newest first, each with the version that serves."""

    permission: ClassVar[Permission] = Permission.MODELS_READ
    queries: MlQueries

    async def handle(self, actor: Actor, command: ListModelsCommand) -> Page[ModelView]:
        return await self.queries.list_models(command.key, command.page)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetModelCommand:
    model_id: ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class GetModel(UseCase[GetModelCommand, ModelView]):
    """With all its versions. Raises `ModelNotFound`."""

    permission: ClassVar[Permission] = Permission.MODELS_READ
    queries: MlQueries

    async def handle(self, actor: Actor, command: GetModelCommand) -> ModelView:
        return await self.queries.get_model(command.model_id)
