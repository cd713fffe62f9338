"""The examples of the guide, run as their readers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.architecture.source import ROOT

EXAMPLES = ROOT / "docs" / "examples"

BOTH_WAYS = """
import asyncio, pathlib, re, runpy, sys

async def notebook(cells):
    names = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, "cell", "exec"), names)
        await asyncio.sleep(0)

runpy.run_path(sys.argv[1], run_name="__main__")
asyncio.run(notebook(re.split("(?m)^(?=# %%)", pathlib.Path(sys.argv[1]).read_text())))
"""
"""First as a script. Then as a notebook does: one cell after the other, on the thread of an event loop that is busy with them."""


def ended(*arguments: str, folder: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240, env=environment)


def test_embedding_runs_as_a_script_and_cell_by_cell_with_equal_results_and_leaves_no_file(tmp_path: Path) -> None:
    result = ended("-c", BOTH_WAYS, str(EXAMPLES / "embedding.py"), folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    script, notebook = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    assert script == notebook
    assert "'signal':" in script[3]
    assert "messages on signals:*: {'signal.issued':" in script[4]
    assert script[-1].endswith(": True")
    assert list(tmp_path.iterdir()) == []


def test_by_hand_needs_python_alone(tmp_path: Path) -> None:
    sources = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    # -S: without the packages of the environment.
    result = ended("-S", str(EXAMPLES / "by_hand.py"), folder=tmp_path, environment=sources)
    assert (result.returncode, result.stderr) == (0, "")
    statuses = [line.rsplit(": ", 1)[1].split(",")[0] for line in result.stdout.splitlines()[4:]]
    assert statuses == ["active", "active", "expired", "take_profit"]
