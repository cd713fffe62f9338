"""Reads of the ml context."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tradingcore.kernel.market import SeriesKey
from tradingcore.kernel.page import Page, PageRequest
from tradingcore.ml.ids import ForecastId, ModelId, ModelVersionId
from tradingcore.ml.model.forecast import Forecast
from tradingcore.ml.model.model_version import Model, ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model with its versions, newest first."""

    model: Model
    versions: Sequence[ModelVersion]

    @property
    def champion(self) -> ModelVersion | None:
        return next((version for version in self.versions if version.id == self.model.champion_id), None)


class MlQueries(Protocol):
    __slots__ = ()

    @abstractmethod
    async def list_models(self, key: SeriesKey | None, page: PageRequest) -> Page[ModelView]:
        """Return models newest first by (created_at, id), each with its champion as the only version (none if not approved)."""

    @abstractmethod
    async def get_model(self, model_id: ModelId) -> ModelView:
        """Return a model with all its versions. Raises `ModelNotFound`."""

    @abstractmethod
    async def champions(self, key: SeriesKey) -> Sequence[ModelVersion]:
        """Return the approved versions of a series, shortest horizon first."""

    @abstractmethod
    async def get_version(self, version_id: ModelVersionId) -> ModelVersion:
        """Raises `ModelNotFound`."""

    @abstractmethod
    async def find_forecast(self, key: SeriesKey, candle: datetime) -> Forecast | None: ...

    @abstractmethod
    async def get_forecast(self, forecast_id: ForecastId) -> Forecast:
        """Raises `ForecastNotFound`."""
