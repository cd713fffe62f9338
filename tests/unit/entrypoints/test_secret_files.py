"""Secrets of a process: given ones, and those that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from entrypoints.secret_files import secret_of
from entrypoints.settings import Settings, load


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
