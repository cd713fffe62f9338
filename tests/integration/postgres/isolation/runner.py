"""Asking a database about whole worlds, on as many connections as a process would use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.connect import connected
from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.isolation.oracle import Answer, Probe, a_probe, a_world, agrees, answer_to, filling
from tests.integration.postgres.isolation.tables import API, OWNED, WORKER
from tests.integration.postgres.server import TestDatabase

CONNECTIONS = 8
# As if somebody had been generous: policies alone must keep users apart.
_GENEROUS = "; ".join(
    f"""
    grant select, insert, update, delete on {name} to {API}, {WORKER};
    create view public.seen_{short} with (security_invoker = true) as select * from {name};
    grant select on public.seen_{short} to {API}, {WORKER};
    create function public.found_{short}() returns setof {name} stable language sql as 'select * from {name}';
    grant execute on function public.found_{short}() to {API}, {WORKER}
    """
    for name in OWNED
    for short in (name.replace(".", "_"),)
)

Disagreement = tuple[Probe, Answer | str]


async def make_generous(database: TestDatabase) -> None:
    async with connected(database.administrator) as administrator:
        await administrator.execute(f"set role tc_owner; {_GENEROUS}")


class Oracle:
    """Knows what a database of the model has to answer."""

    def __init__(self, administrator: Any, engines: Mapping[DatabaseRole, AsyncEngine]) -> None:
        self._administrator = administrator
        self._engines = engines
        self._writing = asyncio.Lock()

    async def disagreements(
        self, seed: int, probes: int, *, users: int | None = None, until_first: bool = False, **only: Any
    ) -> Sequence[Disagreement]:
        """Fill the database with one world and ask about it; ``only`` narrows down what is asked."""
        dice = Random(seed)
        world = a_world(dice, users=users or dice.randint(2, 20))
        await self._administrator.execute(filling(world))
        left = (a_probe(world, **only) for _ in range(probes))
        found: list[Disagreement] = []

        async def ask() -> None:
            for probe in left:
                if until_first and found:
                    return
                answer = await self._answer(probe)
                if not agrees(probe, answer):
                    found.append((probe, answer))

        await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
        return found

    async def _answer(self, probe: Probe) -> Answer | str:
        engine = self._engines[probe.role]
        if not probe.writes:
            return await answer_to(engine, probe)
        # One at a time: what they do is undone, and until then their locks would hold up each other.
        async with self._writing:
            return await answer_to(engine, probe)


@asynccontextmanager
async def oracle(database: TestDatabase) -> AsyncIterator[Oracle]:
    async with AsyncExitStack() as stack:
        administrator = await stack.enter_async_context(connected(database.administrator))
        engines = {role: database.engine(role, pool_size=CONNECTIONS) for role in (API, WORKER)}
        for engine in engines.values():
            stack.push_async_callback(engine.dispose)
        yield Oracle(administrator, engines)


def told(found: Sequence[Disagreement]) -> str:
    return "\n".join(
        f"{probe.role} {probe.operation}: {probe.sql}\n  as {probe.caller}\n  said {answer}\n  not {probe.expected}"
        for probe, answer in found[:3]
    )
