from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]


def compiled(kernel: Kernel) -> Kernel:
    """Compile on first use and keep the machine code on disk.

    ``fastmath`` is off, so that equal inputs give equal bits; the GIL is released; a division by zero is not an exception.
    numba keeps the code beside the source, or in the user's cache folder where that is read-only. It forgets code when the
    kernel's own file changes, not when another file does: a kernel therefore calls nothing of another module but what is in
    ``kernels/inlined.py``, and that file is not changed without touching the others.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}
    try:
        return cast(Kernel, njit(cache=True, **options)(kernel))
    except RuntimeError:
        # There is no folder to write to. Compiling anew in each process is slow, but right.
        return cast(Kernel, njit(**options)(kernel))


def viewed(column: memoryview) -> NDArray[Any]:
    """The column as a read-only array that shares its memory."""
    return np.asarray(column)
