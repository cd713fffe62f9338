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
    for source in [source for source in core() if source.path.stem in {"ports", "queries"}]:
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
def contracts() -> dict[str, frozenset[str]]:
    """Contract class to the ports that it proves: those that its fixtures and tests name as what they are given.

    A unit of work stands for the repositories that it holds, and a class of the test tools for the ports among its fields.
    """
    tools = {node.name: node for source in sources("src/tradingcore/testing") for node in source.classes()}
    found: dict[str, set[str]] = {}
    for name, node in tools.items():
        if not name.endswith("Contract"):
            continue
        names = annotated_names(node).union(*(names_in(base) for base in node.bases))
        for known in [tools[word] for word in names if word in tools]:
            names |= {word for item in known.body if isinstance(item, ast.AnnAssign) for word in names_in(item.annotation)}
        for unit in [ports()[word][1] for word in names if word in ports() and word.endswith("UnitOfWork")]:
            names |= annotated_names(unit)
        found[name] = names
    return {name: frozenset(names & ports().keys()) for name, names in found.items()}


@cache
def lineage(contract: str) -> frozenset[str]:
    """A contract and the contracts that it extends."""
    (node,) = (node for source in sources("src/tradingcore/testing") for node in source.classes() if node.name == contract)
    return frozenset({contract}).union(*(lineage(base) for base in base_names(node) & contracts().keys()))


def annotated_names(node: ast.ClassDef) -> set[str]:
    """The types that the methods of a class take and return."""
    annotations = [method.returns for method in methods(node)]
    annotations += [argument.annotation for method in methods(node) for argument in [*method.args.args, *method.args.kwonlyargs]]
    return {word for annotation in annotations if annotation is not None for word in names_in(annotation)}


def contracts_of(port: str) -> set[str]:
    return {name for name, proven in contracts().items() if port in proven}


def adapters() -> dict[tuple[str, str], set[str]]:
    """(vendor folder, port) to the classes there that implement the port."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source in sources("src/adapters"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and "Protocol" not in base_names(node):
                for port in base_names(node) & ports().keys():
                    found[source.parts[1], port].add(node.name)
    return found


def vendors_of(test: Source) -> set[str]:
    """The adapter folders that a test file is about: those it imports, and those its own folders are named after."""
    conftests = [other for other in sources("tests") if other.path.name == "conftest.py" and other.path.parent in test.path.parents]
    imported = {
        name.split(".")[1] for source in (test, *conftests) for _, name in source.imported() if name.startswith("adapters.")
    }
    return imported | set(test.path.parent.parts)


def proven() -> set[tuple[str, str]]:
    """(vendor folder, port) pairs for which a test class runs the port's contract."""
    return {
        (vendor, port)
        for test in sources("tests")
        for vendor in vendors_of(test)
        for run in contracts_run_by(test)
        for port in contracts()[run]
    }


def contracts_run_by(test: Source) -> set[str]:
    named = {base for node in test.classes() for base in base_names(node) & contracts().keys()}
    return {ancestor for contract in named for ancestor in lineage(contract)}


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
    missing = [
        name for name in ports() if not contracts_of(name) and name not in WITHOUT_CONTRACT and not name.endswith("UnitOfWork")
    ]
    assert missing == []


def test_the_exceptions_are_still_needed() -> None:
    assert [name for name in WITHOUT_CONTRACT if name not in ports() or contracts_of(name)] == []


def test_every_adapter_runs_the_contract_of_its_port() -> None:
    assert adapters()
    unproven = {pair: names for pair, names in adapters().items() if pair not in proven() and pair[1] not in WITHOUT_CONTRACT}
    assert unproven == {}


def test_every_contract_is_run() -> None:
    assert contracts().keys() - {contract for test in sources("tests") for contract in contracts_run_by(test)} == set()
