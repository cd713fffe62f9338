"""The check of the security requirements: what it finds in a made-up tree, and that it finds nothing in this one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from entrypoints.asvs import LEVELS, Owner, Report, Status, check, read
from tests.unit.architecture.source import ROOT
from tradingcore.kernel.errors import InvalidInput

FLOORS = {"decided": 221, "code": 200, "tested": 180, "documents": 21, "level 3 extras": 30}
TOTALS = {"decided": 221, "code": 205, "tested": 184, "documents": 21, "level 3 extras": 35}


@dataclass
class Tree:
    """A checkout in which every requirement but those that a test sets is left to somebody else."""

    root: Path
    rows: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("docs/security", "tests", "src"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "docs" / "rules.md").write_text("# Rules\n\n## For `all` values, here\n")
        for level, count in LEVELS.items():
            for number in range(count):
                self.row(f"{level}.0.{number}", level, status="not_applicable", reason="made up")

    def row(self, id_: str, level: int = 1, **values: object) -> None:
        self.rows[id_] = {"id": id_, "level": level, "owner": "code", **values}

    def test(self, text: str) -> None:
        (self.root / "tests" / "test_made_up.py").write_text(text)

    def checked(self, results: Path | None = None) -> Report:
        lines = []
        for row in self.rows.values():
            lines += ["[[requirement]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items())]
        (self.root / "docs" / "security" / "asvs.toml").write_text("\n".join(lines))
        return check(self.root, results=results)

    def results(self, outcomes: Mapping[str, str]) -> Path:
        where = 'classname="tests.test_made_up"'
        cases = "".join(f'<testcase {where} name="{name}">{outcome}</testcase>' for name, outcome in outcomes.items())
        path = self.root / "results.xml"
        path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
        return path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


PROOF = '@asvs("1.0.0")\ndef test_it() -> None: ...\n'


def test_a_whole_tree_has_no_fault(tree: Tree) -> None:
    tree.row("1.0.0", status="covered")
    tree.row("1.0.1", owner="document", status="documented", document="docs/rules.md#for-all-values-here")
    tree.row("3.0.0", 3, status="not_adopted", reason="too much for us")
    tree.test(PROOF)
    report = tree.checked()
    assert report.faults == []
    assert report.counts == {"decided": (2, 2), "code": (2, 2), "tested": (1, 1), "documents": (1, 1), "level 3 extras": (0, 0)}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"status": "covered"}, "1.0.1 is called covered and no test names it"),
        ({"status": "documented"}, "1.0.1 is called documented and no document does not exist"),
        ({"status": "documented", "document": "docs/nowhere.md"}, "docs/nowhere.md does not exist"),
        ({"status": "documented", "document": "docs/rules.md#nothing"}, "docs/rules.md#nothing does not exist"),
        ({"status": "open"}, "1.0.1 is open without a reason"),
        ({"status": "open", "reason": "TODO"}, "1.0.1 is open without a reason"),
        ({"status": "not_applicable"}, "1.0.1 is not_applicable without a reason"),
        ({"status": "delegated", "owner": "client"}, "1.0.1 is delegated without a reason"),
        ({"status": "not_adopted", "reason": "too much"}, "1.0.1 is of level 1, which cannot be left out"),
        ({"status": "not_applicable", "reason": "no LDAP", "absent": ["ldap"]}, "ldap is not used, and it is imported"),
        ({"status": "not_applicable", "reason": "no XML", "absent": ["xml.etree"]}, "xml.etree is not used, and it is imported"),
    ],
)
def test_a_row_that_is_not_as_it_says_is_found(tree: Tree, row: dict[str, Any], fault: str) -> None:
    (tree.root / "src" / "module.py").write_text("def late():\n    import ldap.filter\n    from xml.etree import ElementTree\n")
    tree.row("1.0.1", **row)
    (found,) = tree.checked().faults
    assert fault in found


@pytest.mark.parametrize("status", ["open", "not_applicable"])
def test_a_test_of_what_is_not_fulfilled_is_found(tree: Tree, status: str) -> None:
    tree.row("1.0.0", status=status, reason="made up")
    tree.test(PROOF)
    assert tree.checked().faults == [f"1.0.0 is {status}, and test_made_up.py::test_it says that it proves it"]


def test_a_test_that_names_no_requirement_is_found(tree: Tree) -> None:
    tree.test('class TestIt:\n    @asvs("99.1.1")\n    async def test_it(self) -> None: ...\n')
    assert tree.checked().faults == ["test_made_up.py::test_it names 99.1.1, which is no requirement"]


def test_rows_that_lack_or_come_twice_are_found(tree: Tree) -> None:
    del tree.rows["2.0.7"]
    tree.rows["again"] = dict(tree.rows["1.0.0"])
    assert tree.checked().faults == [
        "1.0.0 has 2 rows",
        "level 1 has 71 rows, the standard 70 requirements",
        "level 2 has 182 rows, the standard 183 requirements",
    ]


@pytest.mark.parametrize(
    ("outcomes", "is_found"),
    [
        ({"test_it": ""}, False),
        ({"test_it[1]": "", "test_it[2]": ""}, False),
        ({"test_it[1]": "", "test_it[2]": "<failure/>"}, True),
        ({"test_it": "<error/>"}, True),
        ({"test_it": "<skipped/>"}, True),
        ({"test_another": ""}, True),
    ],
)
def test_what_is_called_covered_must_have_passed(tree: Tree, outcomes: dict[str, str], is_found: bool) -> None:
    tree.row("1.0.0", status="covered")
    tree.test(PROOF)
    expected = ["1.0.0 is called covered and none of its tests passed: test_made_up.py::test_it"] if is_found else []
    assert tree.checked(tree.results(outcomes)).faults == expected


def test_files_that_cannot_be_read_are_one_sentence(tree: Tree, tmp_path: Path) -> None:
    table = tmp_path / "table.toml"
    for content in ("[", "requirement = 3", '[[requirement]]\nid = "1"\nlevel = 1\nowner = "nobody"\nstatus = "open"'):
        table.write_text(content)
        with pytest.raises(InvalidInput, match=r"table\.toml cannot be read as a table of requirements"):
            read(table)
    with pytest.raises(InvalidInput, match="cannot be read as a JUnit file"):
        tree.checked(table)


def test_this_checkout_is_as_its_table_says() -> None:
    report = check(ROOT)
    assert report.faults == []
    assert {name: total for name, (_, total) in report.counts.items()} == TOTALS
    assert {name: reached for name, (reached, _) in report.counts.items() if reached < FLOORS[name]} == {}


def test_no_level_is_passed_by_leaving_its_rows_to_others() -> None:
    rows = read(ROOT / "docs" / "security" / "asvs.toml")
    assert sum(row.level < 3 and row.status is Status.NOT_APPLICABLE for row in rows) == 32
    assert sum(row.owner is Owner.CLIENT for row in rows) == 8
    assert sum(row.owner is Owner.DEPLOYMENT for row in rows) == 8


@pytest.mark.campaign
def test_the_goal_of_decided_requirements_is_reached() -> None:
    started = time.monotonic()
    report = check(ROOT)
    goals = {"decided": 221, "code": 195, "documents": 21, "level 3 extras": 30}
    missed = [name for name, goal in goals.items() if report.counts[name][0] < goal]
    figures = {name: f"{reached}/{total}" for name, (reached, total) in report.counts.items()}
    evidence = {"id": "G1", "n": sum(LEVELS.values()), "failures": len(report.faults) + len(missed), "seed": None}
    print(json.dumps({**evidence, "seconds": round(time.monotonic() - started, 1), **figures}))
    assert (report.faults, missed) == ([], [])
