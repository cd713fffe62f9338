"""The built wheel: what is in it, and that the core in it runs on Python alone."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.asvs import asvs
from tests.unit.architecture.source import ROOT, core

OURS = {"tradingcore", "adapters", "entrypoints"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``nox -s wheel`` has built, else one built now."""
    built = os.environ.get("TRADINGCORE_WHEEL")
    if built is not None:
        return Path(built)
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@asvs("13.4.1")
def test_exactly_our_three_packages_are_in_it(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == OURS
    assert len(tops) == len(OURS) + 1


def test_every_module_of_the_tree_is_in_it(names: set[str]) -> None:
    in_tree = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    assert in_tree <= names


def test_migrations_are_in_it(names: set[str]) -> None:
    in_tree = {str(path.relative_to(ROOT / "migrations")) for path in (ROOT / "migrations").rglob("*.py")}
    assert in_tree
    assert {f"adapters/postgres/migrations/{name}" for name in in_tree} <= names


@asvs("15.2.3")
def test_types_are_promised_and_nothing_private_is_shipped(names: set[str]) -> None:
    assert "tradingcore/py.typed" in names
    assert [name for name in names if "__pycache__" in name or name.startswith("tests/")] == []


def test_the_core_depends_on_nothing(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(path).decode())
    assert [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line] == []


def test_the_core_runs_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, cwd=tmp_path)
    statements = "; ".join(f"import {source.name}" for source in core())
    # -I: neither this checkout nor a variable of the caller helps; -W error: importing must be quiet.
    check = [python, "-I", "-W", "error", "-c", f"{statements}; print(tradingcore.__version__)"]
    ended = subprocess.run(check, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip() in wheel.name
