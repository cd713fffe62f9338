"""A command line with access to the storage acts as the operator, traced like everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrypoints.cli.console import Session
from entrypoints.container import Container
from entrypoints.observing import configure_logging
from entrypoints.platform import ProcessKind, running
from tradingcore.kernel.authz import Actor


@asynccontextmanager
async def operator(session: Session) -> AsyncIterator[tuple[Container, Actor]]:
    """Yield the wired use cases and the operator's actor."""
    configure_logging(session.settings, level="debug" if session.is_verbose else "warning")
    async with running(session.settings, ProcessKind.OPERATOR) as platform:
        yield platform.container, Actor.operator(platform.container.ids().new_trace_id())
