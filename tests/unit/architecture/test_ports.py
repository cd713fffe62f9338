"""Ports: small, documented, each with a contract suite that every adapter of it runs."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache

from tests.unit.architecture.source import Source, base_names, core, names_in, sources

METHOD_LIMIT = 7

WITHOUT_CONTRACT = {
    "Observer": "it is told and answers nothing; what an observer does with a call is tested beside each observer",
    "TrainingProgress": "it is told and answers nothing",
}
"""Ports that need no contract suite, each with the reason."""


@cache
def ports() -> dict[str, tuple[Source, ast.ClassDef]]:
    """Every Protocol of the core's ports and queries."""
    found: dict[str, tuple[Source, ast.ClassDef]] = {}
    for source in [source for source in core() if {source.path.stem, source.path.parent.name} & {"ports", "queries"}]:
        for node in source.classes():
            if "Protocol" in base_names(node):
                assert node.name not in found, f"two ports are called {node.name}"
                found[node.name] = (source, node)
    return found


def methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]


def decorators(method: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {name for decorator in method.decorator_list for name in names_in(decorator)}


@cache
def contracts() -> dict[str, ast.ClassDef]:
    """Every contract suite, by name."""
    tools = (node for source in sources("src/tradingcore/testing") for node in source.classes())
    return {node.name: node for node in tools if node.name.endswith("Contract")}


def annotated_names(node: ast.ClassDef) -> set[str]:
    """The types that the methods of a class take and return, and those that its bases are made of."""
    annotations = [method.returns for method in methods(node)]
    annotations += [argument.annotation for method in methods(node) for argument in [*method.args.args, *method.args.kwonlyargs]]
    return {word for annotation in [*annotations, *node.bases] if annotation is not None for word in names_in(annotation)}


@cache
def contracts_of(port: str) -> set[str]:
    """The suites that prove a port: its namesake, else that of the unit of work which holds it, else those that are given one."""
    holders = [name for name, (_, node) in ports().items() if name.endswith("UnitOfWork") and port in annotated_names(node)]
    for names in ([port], holders):
        namesakes = {f"{name}Contract" for name in names} & contracts().keys()
        if namesakes:
            return namesakes
    return {name for name, node in contracts().items() if port in annotated_names(node)}


@cache
def contracts_run_by(test: Source) -> set[str]:
    """The suites that the classes of a test file inherit, also through another suite."""
    open_ends = [base for node in test.classes() for base in base_names(node) & contracts().keys()]
    found: set[str] = set()
    while open_ends:
        contract = open_ends.pop()
        found.add(contract)
        open_ends += base_names(contracts()[contract]) & contracts().keys()
    return found


def adapters() -> dict[tuple[str, str], set[str]]:
    """(vendor folder, port) to the public classes there that implement the port, directly or through a base of their own."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for vendor in {source.parts[1] for source in sources("src/adapters") if len(source.parts) > 1}:
        classes = {
            node.name: node for source in sources("src/adapters") if source.parts[1:2] == (vendor,) for node in source.classes()
        }
        for name in [name for name in classes if not name.startswith("_")]:
            ancestors: set[str] = set()
            open_ends = [name]
            while open_ends:
                bases = base_names(classes[open_ends.pop()])
                open_ends += bases & classes.keys() - ancestors
                ancestors |= bases
            for port in ancestors & ports().keys():
                found[vendor, port].add(name)
    return found


@cache
def vendors_of(test: Source) -> set[str]:
    """The adapter folders that a test file is about: those it imports, and those its own folders are named after."""
    conftests = [other for other in sources("tests") if other.path.name == "conftest.py" and other.path.parent in test.path.parents]
    imported = {
        name.split(".")[1] for source in (test, *conftests) for _, name in source.imported() if name.startswith("adapters.")
    }
    return imported | set(test.path.parent.parts)


def runs(vendor: str, port: str) -> list[Source]:
    """The test files about a vendor that run a contract of the port."""
    return [test for test in sources("tests") if vendor in vendors_of(test) and contracts_of(port) & contracts_run_by(test)]


def test_ports_are_small() -> None:
    assert ports()
    sizes = {name: len(methods(node)) for name, (_, node) in ports().items()}
    assert {name: size for name, size in sizes.items() if size > METHOD_LIMIT} == {}


def test_protocols_declare_no_slots_of_their_own() -> None:
    # Without it every slotted adapter that inherits from one grows a __dict__.
    for source in core():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and "Protocol" in base_names(node):
                assert "__slots__ = ()" in {ast.unparse(item) for item in node.body}, source.at(node.lineno, node.name)


def test_every_method_of_a_port_is_abstract() -> None:
    for source, node in ports().values():
        for method in methods(node):
            assert "abstractmethod" in decorators(method), source.at(method.lineno, f"{node.name}.{method.name}")


def test_ports_take_no_loose_keywords() -> None:
    for source, node in ports().values():
        for method in methods(node):
            assert method.args.kwarg is None, source.at(method.lineno, f"{node.name}.{method.name} takes **{method.args.kwarg}")


def test_every_port_has_a_contract() -> None:
    missing = [name for name in ports() if not contracts_of(name) and name not in WITHOUT_CONTRACT]
    assert missing == []


def test_the_exceptions_are_still_needed() -> None:
    assert [name for name in WITHOUT_CONTRACT if name not in ports() or contracts_of(name)] == []


def test_every_adapter_runs_the_contract_of_its_port() -> None:
    assert adapters()
    unproven = set()
    for (vendor, port), names in adapters().items():
        if port in WITHOUT_CONTRACT:
            continue
        if not runs(vendor, port):
            unproven |= {f"{vendor}: no test runs the contract of {port}"}
        elif len(names) > 1:
            # One run may stand for a whole family only if it names each member.
            named = set().union(*(names_in(test.tree) for test in runs(vendor, port)))
            unproven |= {f"{vendor}: no test runs the contract of {port} on {name}" for name in names - named}
    assert sorted(unproven) == []


def test_every_contract_is_run() -> None:
    assert contracts().keys() - {contract for test in sources("tests") for contract in contracts_run_by(test)} == set()
