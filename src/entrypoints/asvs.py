"""Checks the table of security requirements: every one decided, and what is called covered is held by tests.

The table (``docs/security/asvs.toml``) has one row for each of the 345 requirements of OWASP ASVS 5.0. Tests name what they prove:
``@asvs("6.5.1")``. Works on a checkout, because neither documents nor tests are part of the package.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from tradingcore.kernel.errors import InvalidInput

LEVELS: Final = {1: 70, 2: 183, 3: 92}
"""How many requirements the standard has at each level."""


class Owner(StrEnum):
    """Who has to fulfil a requirement."""

    CODE = "code"
    DOCUMENT = "document"
    CLIENT = "client"
    DEPLOYMENT = "deployment"


class Status(StrEnum):
    """``open``: applies, is decided and not done, and the reason says what is missing. ``not_adopted``: level 3, left out."""

    COVERED = "covered"
    DOCUMENTED = "documented"
    OPEN = "open"
    DELEGATED = "delegated"
    NOT_APPLICABLE = "not_applicable"
    NOT_ADOPTED = "not_adopted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One row. ``absent`` names modules that nothing here imports, which is why a requirement does not apply."""

    id: str
    level: int
    owner: Owner
    status: Status
    reason: str = ""
    document: str = ""
    absent: tuple[str, ...] = ()

    @property
    def is_decided(self) -> bool:
        return self.status in (Status.COVERED, Status.DOCUMENTED) or self.reason not in ("", "TODO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the check found. ``counts`` maps a figure to (reached, of how many)."""

    faults: Sequence[str]
    counts: Mapping[str, tuple[int, int]]


def check(root: Path, *, results: Path | None = None) -> Report:
    """Check the table of a checkout. ``results`` is a JUnit file of a test run: then the tests behind a row must have passed.

    Raises `InvalidInput` for a table or a file that cannot be read.
    """
    rows = read(root / "docs" / "security" / "asvs.toml")
    proofs = dict(_proofs(root / "tests"))
    proven: dict[str, list[str]] = {}
    for test, ids in proofs.items():
        for id_ in ids:
            proven.setdefault(id_, []).append(test)
    faults = [*_faults_of_the_table(rows), *_faults_of_rows(rows, proven, root)]
    known = {row.id for row in rows}
    faults += [f"{test} names {id_}, which is no requirement" for test, ids in proofs.items() for id_ in ids if id_ not in known]
    if results is not None:
        faults += _not_passed(rows, proven, _passed(results))
    return Report(faults=faults, counts=_counts(rows))


def read(file: Path) -> Sequence[Requirement]:
    """Read the table. Raises `InvalidInput`."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return [_row(row) for row in table["requirement"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{file} cannot be read as a table of requirements: {error}") from None


def _row(row: Mapping[str, Any]) -> Requirement:
    values = {**row, "owner": Owner(row["owner"]), "status": Status(row["status"]), "absent": tuple(row.get("absent", ()))}
    return Requirement(**values)


def _proofs(folder: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Every test that names requirements, with their ids."""
    for file in sorted(folder.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if "@asvs(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                ids = [id_ for decorator in node.decorator_list for id_ in _ids(decorator)]
                if ids:
                    yield f"{file.relative_to(folder).as_posix()}::{node.name}", ids


def _ids(decorator: ast.expr) -> Sequence[str]:
    if not isinstance(decorator, ast.Call) or getattr(decorator.func, "id", None) != "asvs":
        return ()
    return [str(argument.value) for argument in decorator.args if isinstance(argument, ast.Constant)]


def _faults_of_the_table(rows: Sequence[Requirement]) -> Iterator[str]:
    for id_, times in Counter(row.id for row in rows).items():
        if times > 1:
            yield f"{id_} has {times} rows"
    for level, expected in LEVELS.items():
        found = sum(row.level == level for row in rows)
        if found != expected:
            yield f"level {level} has {found} rows, the standard {expected} requirements"


def _faults_of_rows(rows: Sequence[Requirement], proven: Mapping[str, Sequence[str]], root: Path) -> Iterator[str]:
    imported = _imported(root / "src")
    for row in rows:
        match row.status:
            case Status.COVERED if row.id not in proven:
                yield f"{row.id} is called covered and no test names it"
            case Status.DOCUMENTED if not _is_written(root, row.document):
                yield f"{row.id} is called documented and {row.document or 'no document'} does not exist"
            case Status.OPEN | Status.NOT_APPLICABLE | Status.NOT_ADOPTED | Status.DELEGATED if not row.is_decided:
                yield f"{row.id} is {row.status} without a reason"
            case Status.OPEN | Status.NOT_APPLICABLE | Status.NOT_ADOPTED if row.id in proven:
                yield f"{row.id} is {row.status}, and {proven[row.id][0]} says that it proves it"
            case Status.NOT_ADOPTED if row.level < 3:
                yield f"{row.id} is of level {row.level}, which cannot be left out: it is covered, open or not applicable"
            case _:
                pass
        for module in row.absent:
            if module in imported:
                yield f"{row.id} is said not to apply because {module} is not used, and it is imported"


def _is_written(root: Path, document: str) -> bool:
    """Whether ``docs/file.md#heading`` exists, heading included."""
    name, _, anchor = document.partition("#")
    file = root / name
    if not name or not file.is_file():
        return False
    headings = [line.lstrip("#").strip() for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    anchors = {
        "".join(letter for letter in one.lower() if letter.isalnum() or letter in " -_").replace(" ", "-") for one in headings
    }
    return not anchor or anchor in anchors


def _imported(folder: Path) -> frozenset[str]:
    """The top-level modules that the sources import."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names} | {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names |= {node.module.partition(".")[0], node.module}
    return frozenset(names)


def _passed(results: Path) -> frozenset[str]:
    """The functions and classes of which a JUnit file says that all their tests passed."""
    try:
        # Our own test run wrote it: nobody else's file is ever given here.
        cases = list(ElementTree.parse(results).iter("testcase"))  # noqa: S314 - see above
    except (OSError, ElementTree.ParseError) as error:
        raise InvalidInput(f"{results} cannot be read as a JUnit file: {error}") from None
    outcomes: dict[str, bool] = {}
    for case in cases:
        has_passed = not any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        for name in (*case.get("classname", "").split("."), case.get("name", "").partition("[")[0]):
            outcomes[name] = outcomes.get(name, True) and has_passed
    return frozenset(name for name, has_passed in outcomes.items() if has_passed)


def _not_passed(rows: Sequence[Requirement], proven: Mapping[str, Sequence[str]], passed: frozenset[str]) -> Iterator[str]:
    for row in rows:
        tests = proven.get(row.id, ())
        if row.status is Status.COVERED and tests and not any(test.rpartition("::")[2] in passed for test in tests):
            yield f"{row.id} is called covered and none of its tests passed: {', '.join(tests)}"


def _counts(rows: Sequence[Requirement]) -> Mapping[str, tuple[int, int]]:
    applicable = [row for row in rows if row.level < 3 and row.status is not Status.NOT_APPLICABLE]
    adopted = [row for row in rows if row.level == 3 and row.status not in (Status.NOT_APPLICABLE, Status.NOT_ADOPTED)]
    code = [row for row in applicable if row.owner in (Owner.CODE, Owner.DOCUMENT)]
    documents = [row for row in applicable if row.owner is Owner.DOCUMENT]
    done = {Status.COVERED, Status.DOCUMENTED}
    return {
        "decided": (sum(row.is_decided for row in applicable), len(applicable)),
        "code": (sum(row.status in done for row in code), len(code)),
        "tested": (sum(row.status is Status.COVERED for row in code), len(code) - len(documents)),
        "documents": (sum(row.status is Status.DOCUMENTED for row in documents), len(documents)),
        "level 3 extras": (sum(row.status in done for row in adopted), len(adopted)),
    }
