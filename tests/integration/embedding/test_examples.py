"""The examples of the guide, run as their readers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.architecture.source import ROOT

EXAMPLES = ROOT / "docs" / "examples"

CELL_BY_CELL = """
import asyncio, pathlib, re, sys

async def notebook(cells):
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, "cell", "exec"), names)
        await asyncio.sleep(0)

asyncio.run(notebook(re.split("(?m)^(?=# %%)", pathlib.Path(sys.argv[1]).read_text())))
"""
"""A notebook runs one cell after the other on the thread of an event loop that is busy running them."""


def ended(*arguments: str, folder: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240, env=environment)


def test_embedding_runs_as_a_script_and_leaves_no_file(tmp_path: Path) -> None:
    result = ended(str(EXAMPLES / "embedding.py"), folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "'signal':" in result.stdout
    assert "messages on signals:*: {'signal.issued':" in result.stdout
    assert result.stdout.endswith(": True\n"), result.stdout
    assert list(tmp_path.iterdir()) == []


def test_embedding_runs_cell_by_cell_where_a_loop_runs_already(tmp_path: Path) -> None:
    result = ended("-c", CELL_BY_CELL, str(EXAMPLES / "embedding.py"), folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith(": True\n"), result.stdout


def test_by_hand_needs_python_alone(tmp_path: Path) -> None:
    sources = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    # -S: without the packages of the environment.
    result = ended("-S", str(EXAMPLES / "by_hand.py"), folder=tmp_path, environment=sources)
    assert (result.returncode, result.stderr) == (0, "")
    statuses = [line.rsplit(": ", 1)[1].split(",")[0] for line in result.stdout.splitlines()[4:]]
    assert statuses == ["active", "active", "expired", "take_profit"]
