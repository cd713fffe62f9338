"""Everything that can be asked of the container can be built, for every storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from adapters.postgres.address import DatabaseAddress
from entrypoints.container import Container
from tests.unit.core.stand_ins import HopefulLoader, SumFeatures
from tradingcore.kernel.use_case import UseCase
from tradingcore.processes.reaction import Reaction

ADDRESS = "postgresql://nobody:nothing@127.0.0.1:1/none"


@pytest.fixture
def engine() -> Any:
    """Never connects: a pool opens its first connection when it is asked for one."""
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(ADDRESS.replace("postgresql", "postgresql+asyncpg"))


def containers(folder: Path, engine: Any) -> dict[str, Container]:
    address = DatabaseAddress.parse(ADDRESS)
    on_postgres = {"engine": engine, "system_engine": engine, "address": address, "blob_folder": folder}
    return {
        "memory": Container(storage_kind="memory"),
        "postgres": Container(storage_kind="postgres", **on_postgres),
        "redis": Container(
            storage_kind="postgres",
            stream_kind="redis",
            redis_url="redis://127.0.0.1:1/0",
            limits_kind="redis",
            limits_url="redis://127.0.0.1:1/0",
            **on_postgres,
        ),
    }


@pytest.mark.parametrize("kind", ["memory", "postgres", "redis"])
async def test_every_provider_builds(kind: str, tmp_path: Path, engine: Any) -> None:
    container = containers(tmp_path, engine)[kind]
    built = {
        name: provider()
        for name, provider in container.providers.items()
        if not isinstance(provider, providers.Dependency)
        and not (kind == "postgres" and name == "memory")
        and not (kind != "redis" and name.startswith("shared_"))
    }
    assert len(built) > 40
    assert all(value is not None for value in built.values())
    use_cases = [value for value in built.values() if isinstance(value, UseCase)]
    assert len(use_cases) > 20
    assert all(Reaction in type(reaction).__mro__ for reaction in built["reactions"])


def test_reactions_have_names_of_their_own() -> None:
    container = Container(storage_kind="memory")
    container.features.override(SumFeatures())
    container.loader.override(HopefulLoader())
    names = [reaction.name for reaction in container.reactions()]
    assert len(set(names)) == len(names)


def test_two_containers_share_nothing() -> None:
    one, other = Container(storage_kind="memory"), Container(storage_kind="memory")
    assert one.memory() is one.memory()
    assert one.memory() is not other.memory()
    assert one.get_signal() is not one.get_signal()
