"""What a process needs before it can serve, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from entrypoints.platform import ProcessKind, embedded_backups, migrator_of, reset_data, running, secret_of
from entrypoints.settings import ConfigurationError, Settings, load
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.network import NetworkPrefix
from tradingcore.trading.use_cases.list_symbols import ListSymbolsCommand


def settings(folder: Path, **flags: Any) -> Settings:
    return load(flags={"data_dir": folder, **flags}).values


def test_generated_secret_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    first = secret_of(settings(tmp_path), "cursor_key")
    assert len(first) >= 32
    assert secret_of(settings(tmp_path), "cursor_key") == first
    assert secret_of(settings(tmp_path), "pseudonym_key") != first
    assert (tmp_path / "secrets" / "cursor_key").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in (tmp_path / "secrets").iterdir()) == ["cursor_key", "pseudonym_key"]


def test_of_processes_that_start_at_once_the_first_secret_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = secret_of(settings(tmp_path), "cursor_key")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert secret_of(settings(tmp_path), "cursor_key") == first


def test_given_secret_is_taken_and_memory_keeps_none(tmp_path: Path) -> None:
    assert secret_of(settings(tmp_path, secrets={"cursor_key": "given"}), "cursor_key") == b"given"
    in_memory = settings(tmp_path, storage="memory")
    assert secret_of(in_memory, "cursor_key") != secret_of(in_memory, "cursor_key")
    assert list(tmp_path.iterdir()) == []


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
