from __future__ import annotations

import ast
from math import log, ulp
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

import adapters.numba
from adapters.numba.compiled import compiled
from adapters.numba.features import NumbaFeatureCalculator
from adapters.numba.kernels import base, horizon, moments, momentum, oscillators, seasonality, volatility
from adapters.numba.kernels.inlined import ln

FOLDER = Path(adapters.numba.__path__[0]) / "kernels"


def test_kernels_call_nothing_of_other_modules_but_what_is_meant_for_it() -> None:
    # The cache of compiled code notices a change of a kernel's own file only: a call across files would go stale, silently.
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
    functions = {node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions
    taken = [
        f"{module}: {name.name}"
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "adapters.numba.kernels.inlined"
        for name in node.names
        if name.name in functions or node.module == "adapters.numba.kernels"
    ]
    assert taken == []


def test_kernel_works_where_compiled_code_cannot_be_kept() -> None:
    names: dict[str, Any] = {}
    # A function without a file: numba finds no folder for it, as where nothing is writable.
    exec("def double(x):\n    return 2 * x\n", names)
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(names["double"])
    assert compiled(names["double"])(21) == 42


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.floats(min_value=1e-300, max_value=1e300), st.floats(min_value=0.99, max_value=1.01)))
def test_logarithm_is_right_to_the_last_place(x: float) -> None:
    assert abs(ln(x) - log(x)) <= ulp(log(x))


def test_every_kernel_is_compiled_once_for_all_that_is_asked_of_it() -> None:
    calculator = NumbaFeatureCalculator()
    calculator.warm_up()
    modules = (base, horizon, moments, momentum, oscillators, seasonality, volatility)
    # What is inlined has a form for each constant that it is given.
    kernels = [
        value
        for module in modules
        for value in vars(module).values()
        if hasattr(value, "nopython_signatures") and value.py_func.__module__ == module.__name__
    ]
    assert kernels
    assert {kernel.py_func.__name__ for kernel in kernels if len(kernel.nopython_signatures) > 1} == set()
