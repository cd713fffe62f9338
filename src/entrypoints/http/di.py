"""The bridge from the container to the web framework: each use case is injected into handlers by its name.

A handler declares ``list_signals: ListSignals``. The framework is given plain functions, because it can neither inspect the
providers of dependency-injector nor bear its ``@inject`` on a handler (that leaks into the OpenAPI document and answers 400).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from litestar.di import Provide


def injected(factories: Mapping[str, Callable[[], Any]]) -> dict[str, Provide]:
    """Return what Litestar takes as ``dependencies``: a fresh object per request from each factory."""
    return {name: Provide(_made_by(factory), sync_to_thread=False) for name, factory in factories.items()}


def _made_by(factory: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        return factory()

    return make
