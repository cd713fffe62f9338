"""The bridge from the container to the web framework: each use case is injected into handlers by its name.

A handler declares ``list_signals: ListSignals``. The framework is given plain functions, because it can neither inspect the
providers of dependency-injector nor bear its ``@inject`` on a handler (that leaks into the OpenAPI document and answers 400).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from dependency_injector.providers import Factory
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.routes import HTTPRoute

from tradingcore.kernel.use_case import UseCase


def supplied(routes: Router, factories: Mapping[str, Callable[[], Any]]) -> Router:
    """Return ``routes`` with what their handlers ask for by name: a fresh object per request from each factory.

    Given all factories, the framework would compare each of them with each other for every handler.
    """
    handlers = [handler for route in routes.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    asked = {name for handler in handlers for name in signature(handler.fn).parameters}
    dependencies = {name: Provide(_made_by(factory), sync_to_thread=False) for name, factory in factories.items() if name in asked}
    return Router("/", route_handlers=[routes], dependencies=dependencies)


def resolve_in_turn(app: Litestar) -> None:
    """Have what a handler depends on looked up one after the other: a task for each, as the framework does it, takes longer."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [{dependency} for batch in model.dependency_batches for dependency in batch]


def use_cases_of(container: Any) -> dict[str, Callable[[], Any]]:
    """Return the factory of every use case that the container makes, by name."""
    factories = {name: provider for name, provider in container.providers.items() if isinstance(provider, Factory)}
    return {name: factory for name, factory in factories.items() if issubclass(factory.cls, UseCase)}


def _made_by(factory: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        return factory()

    return make
