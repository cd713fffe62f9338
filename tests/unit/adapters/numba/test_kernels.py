from __future__ import annotations

import ast
from pathlib import Path

import adapters.numba
from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.kernels import base, horizon, moments, momentum, oscillators, seasonality, volatility

FOLDER = Path(adapters.numba.__path__[0]) / "kernels"


def test_no_kernel_calls_one_of_another_module() -> None:
    # The cache of compiled code notices a change of a kernel's own file only: a call across files would go stale, silently.
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
    functions = {node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions
    taken = [
        f"{module}: {name.name}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for name in node.names
        if name.name in functions or (isinstance(node, ast.ImportFrom) and node.module == "adapters.numba.kernels")
    ]
    assert taken == []


def test_every_kernel_is_compiled_once_for_all_that_is_asked_of_it() -> None:
    calculator = NumbaFeatureCalculator()
    calculator.warm_up()
    modules = (base, horizon, moments, momentum, oscillators, seasonality, volatility)
    kernels = [value for module in modules for value in vars(module).values() if hasattr(value, "nopython_signatures")]
    assert kernels
    assert {kernel.py_func.__name__: len(kernel.nopython_signatures) for kernel in kernels} == {
        kernel.py_func.__name__: 1 for kernel in kernels
    }
