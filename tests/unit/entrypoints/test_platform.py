"""What a process needs before it can serve, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from entrypoints.platform import ProcessKind, embedded_backups, migrator_of, reset_data, running
from entrypoints.settings import ConfigurationError, Settings, load
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.trading.use_cases.list_symbols import ListSymbolsCommand


def settings(folder: Path, **flags: Any) -> Settings:
    return load(flags={"data_dir": folder, **flags}).values


async def test_memory_storage_runs_without_anything(tmp_path: Path) -> None:
    async with running(settings(tmp_path, storage="memory"), ProcessKind.API) as platform:
        actor = Actor.operator(platform.container.ids().new_trace_id())
        assert await platform.container.list_symbols()(actor, ListSymbolsCommand()) is not None
        assert platform.migrator is None


async def test_processes_of_one_folder_share_their_secrets(tmp_path: Path) -> None:
    async def subjects(**flags: Any) -> bytes:
        async with running(settings(tmp_path, storage="memory", **flags), ProcessKind.API) as platform:
            return bytes(platform.container.attempt_policy().registration(network=NetworkPrefix("::/64"))[0].subject)

    given = {"secrets": {"attempts_key": "k" * 32}}
    assert await subjects(**given) == await subjects(**given)
    assert await subjects() != await subjects()


async def test_what_memory_storage_lacks_is_said(tmp_path: Path) -> None:
    in_memory = settings(tmp_path, storage="memory")
    with pytest.raises(ConfigurationError, match="has no schema and keeps nothing"):
        async with migrator_of(in_memory):
            pass
    with pytest.raises(ConfigurationError, match="backups are of the embedded server"):
        embedded_backups(in_memory)
    with pytest.raises(ConfigurationError, match="only the embedded storage can be reset"):
        reset_data(in_memory)
