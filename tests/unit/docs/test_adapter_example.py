"""The adapter in the guide for authors passes the contract suite, as its reader would run it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tradingcore.testing
from tests.unit.docs.documents import code_blocks, text_of

SCOPE = ("-o", "asyncio_default_fixture_loop_scope=function")
GUIDE = text_of(Path("docs/adapters.md"))


def suites() -> list[str]:
    modules = [
        importlib.import_module(f"tradingcore.testing.{found.name}") for found in pkgutil.iter_modules(tradingcore.testing.__path__)
    ]
    return [
        name
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if name.endswith("Contract") and kind.__module__ == module.__name__ and name != "UnitOfWorkContract"
    ]


def test_example_passes_its_suite(tmp_path: Path) -> None:
    (tmp_path / "test_sqlite_blobs.py").write_text("\n".join(code_blocks(GUIDE, "python")), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *SCOPE, "test_sqlite_blobs.py"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert result.returncode == 0, result.stdout
    assert re.search(r"\b4 passed\b", result.stdout), result.stdout


@pytest.mark.parametrize("suite", suites())
def test_suite_is_named_for_authors(suite: str) -> None:
    assert f"{suite}`" in GUIDE
