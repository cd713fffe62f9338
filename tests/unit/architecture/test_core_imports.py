"""The core is pure: no clock, no randomness, no I/O, no event loop, nothing that is not Python's own."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.unit.architecture.source import Source, core, sources

OUTSIDE_WORLD = frozenset({"os", "time", "random", "secrets", "socket", "asyncio", "threading", "logging", "subprocess", "pathlib"})
FOR_TESTING_ONLY = frozenset({"asyncio", "pytest", "hypothesis"})
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "SystemRandom", "urandom"})
CLOCKS = frozenset({"date", "datetime", "datetime.date", "datetime.datetime", "uuid"})


def forbidden_imports(source: Source, allowed: frozenset[str]) -> list[str]:
    faults = []
    for line, name in source.imported():
        package = name.split(".", 1)[0]
        if package == "tradingcore" or package in allowed:
            continue
        if package in OUTSIDE_WORLD or package not in sys.stdlib_module_names:
            faults.append(source.at(line, f"imports {name}"))
    return faults


def impure_calls(source: Source) -> list[str]:
    """Calls such as ``datetime.now()`` and ``uuid4()``; those of a port's own object (``self.clock.now()``) are fine."""
    faults = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in IMPURE_CALLS | {"open", "input", "print", "exec", "eval"}:
            faults.append(source.at(node.lineno, f"calls {called.id}"))
        if isinstance(called, ast.Attribute) and called.attr in IMPURE_CALLS and ast.unparse(called.value) in CLOCKS:
            faults.append(source.at(node.lineno, f"calls {ast.unparse(called)}"))
    return faults


def test_core_imports_only_the_harmless_part_of_the_standard_library() -> None:
    assert [fault for source in core() for fault in forbidden_imports(source, frozenset())] == []


def test_testing_imports_only_what_test_authors_have() -> None:
    testing = [source for source in sources("src/tradingcore") if source.parts[1:2] == ("testing",)]
    assert testing
    assert [fault for source in testing for fault in forbidden_imports(source, FOR_TESTING_ONLY)] == []


def test_nothing_in_the_core_imports_testing() -> None:
    found = [
        source.at(line, name) for source in core() for line, name in source.imported() if name.startswith("tradingcore.testing")
    ]
    assert found == []


def test_core_asks_ports_for_time_ids_and_randomness() -> None:
    assert [fault for source in core() for fault in impure_calls(source)] == []


@pytest.mark.parametrize(
    "text",
    ["import os", "from time import sleep", "import numpy as np", "def f():\n    from pathlib import Path", "import random"],
)
def test_a_forbidden_import_is_seen(text: str) -> None:
    source = Source(core()[0].path, "tradingcore.sample", ast.parse(text), 1)
    assert forbidden_imports(source, frozenset()) != []


@pytest.mark.parametrize("text", ["datetime.now(UTC)", "uuid4()", "uuid.uuid4()", "date.today()", "open('x')"])
def test_an_impure_call_is_seen(text: str) -> None:
    source = Source(core()[0].path, "tradingcore.sample", ast.parse(text), 1)
    assert impure_calls(source) != []
