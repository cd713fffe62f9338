"""The tree as these tests see it: parsed source files, and the files that git knows."""

from __future__ import annotations

import ast
import importlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, eq=False)
class Source:
    """One Python file; ``name`` is its import name, ``path`` is relative to the project."""

    path: Path
    name: str
    tree: ast.Module
    line_count: int

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))

    def imported(self) -> Sequence[tuple[int, str]]:
        """Line and full name of everything that is imported, also inside functions."""
        return _imported(self)

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))

    def at(self, line: int, fault: str) -> str:
        return f"{self.path}:{line}: {fault}"


@cache
def _imported(source: Source) -> Sequence[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return tuple(found)


@cache
def sources(folder: str) -> Sequence[Source]:
    """Every Python file below ``folder``, a path relative to the project, in order."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        relative = path.relative_to(ROOT)
        parts = relative.with_suffix("").parts
        importable = parts[1:] if parts[0] == "src" else parts
        name = ".".join(importable[:-1] if importable[-1] == "__init__" else importable)
        text = path.read_text(encoding="utf-8")
        found.append(Source(relative, name, ast.parse(text), len(text.splitlines())))
    return tuple(found)


def core() -> Sequence[Source]:
    """The core without its public test tools."""
    return tuple(source for source in sources("src/tradingcore") if source.parts[1:2] != ("testing",))


@cache
def imported_core() -> Sequence[ModuleType]:
    """The modules of the core, imported."""
    return tuple(importlib.import_module(source.name) for source in core())


@cache
def tracked_files() -> Sequence[Path]:
    """What git knows or would add, as paths relative to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    paths = (Path(name) for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in paths if (ROOT / path).is_file()))


def base_names(node: ast.ClassDef) -> set[str]:
    """The bare names of the bases: ``UseCase`` for ``UseCase[A, B]``, ``Clock`` for ``ports.Clock``."""
    names = set()
    for base in node.bases:
        target = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(target, ast.Attribute):
            names.add(target.attr)
        elif isinstance(target, ast.Name):
            names.add(target.id)
    return names


@cache
def names_in(node: ast.AST) -> frozenset[str]:
    """Every name and attribute that occurs below ``node``."""
    found = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            found.add(child.id)
        elif isinstance(child, ast.Attribute):
            found.add(child.attr)
    return frozenset(found)


def snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
