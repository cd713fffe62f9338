from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tradingcore.kernel.market import SeriesKey
from tradingcore.ml.ids import ModelVersionId
from tradingcore.ml.model.model_version import ModelVersion
from tradingcore.ml.ports import BlobStore, ModelLoader, ServedModel, ServedModels
from tradingcore.ml.queries import MlQueries


class LoadedModels(ServedModels):
    """Loads each version once per process. Which versions are champions is asked every time, so a change acts at once."""

    def __init__(self, *, queries: MlQueries, blobs: BlobStore, loader: ModelLoader) -> None:
        self._queries = queries
        self._blobs = blobs
        self._loader = loader
        self._loaded: dict[ModelVersionId, ServedModel] = {}
        self._loading = asyncio.Lock()

    async def champions(self, key: SeriesKey) -> Sequence[tuple[ModelVersion, ServedModel]]:
        versions = await self._queries.champions(key)
        return [(version, await self._load(version)) for version in versions]

    async def version(self, version_id: ModelVersionId) -> tuple[ModelVersion, ServedModel]:
        version = await self._queries.get_version(version_id)
        return version, await self._load(version)

    async def _load(self, version: ModelVersion) -> ServedModel:
        model = self._loaded.get(version.id)
        if model is not None:
            return model
        async with self._loading:
            if version.id not in self._loaded:
                bundle = await self._blobs.get(version.bundle_sha256)
                self._loaded[version.id] = await asyncio.to_thread(self._loader.load, bundle, version)
            return self._loaded[version.id]
