"""The Python that readers copy from the documents runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.documents import code_blocks, documents, text_of

WITH_PYTHON = [path for path in documents() if code_blocks(text_of(path), "python")]


def ended(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=60)


@pytest.mark.parametrize("path", WITH_PYTHON, ids=str)
def test_the_python_of_a_document_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    result = ended("\n".join(code_blocks(text_of(path), "python")), tmp_path)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


def test_python_that_warns_is_seen(tmp_path: Path) -> None:
    assert ended("import warnings; warnings.warn('old')", tmp_path).returncode != 0
