"""What the units of work of all contexts share: the cause, the versions, the outbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Table, bindparam, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.dml import Insert, Update

from adapters.postgres.engine import driver_of, transaction
from tradingcore.kernel.aggregate import Aggregate, AuditedEvent, DomainEvent
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import IdGenerator

A = TypeVar("A", bound=Aggregate)

NOBODY: Final = Actor.anonymous(TraceId("0" * 32))
CHANNEL: Final = "tradingcore_outbox"

# Numbers of one ordering key must be taken in the order of the commits: its lock is held from here to the commit, which is next.
_APPEND: Final = f"""
    with locked as materialized (
        select pg_advisory_xact_lock(hashtextextended(key, 7361003))
        from (select distinct key from unnest(cast($2 as text[])) as key order by key) as keys
    )
    insert into public.outbox (id, ordering_key, type, payload, trace_id, committed_at)
    select event.id, event.key, event.type, cast(event.payload as json), $5, clock_timestamp()
    from (select count(*) from locked) as all_locked,
        unnest(cast($1 as uuid[]), cast($2 as text[]), cast($3 as text[]), cast($4 as text[]))
            with ordinality as event (id, key, type, payload, place)
    order by event.place
    returning pg_notify('{CHANNEL}', '')
    """  # noqa: S608 - a constant

_AUDIT: Final = """
    insert into audit.events (id, type, user_id, actor_id, actor_name, trace_id, facts)
    select event.id, event.type, event.user_id, $5, $6, $7, cast(event.facts as json)
    from unnest(cast($1 as uuid[]), cast($2 as text[]), cast($3 as uuid[]), cast($4 as text[])) as event (id, type, user_id, facts)
    """


class PostgresUnit:
    """The open transaction of one unit of work."""

    def __init__(self, connection: AsyncConnection, actor: Actor) -> None:
        self.connection = connection
        self.actor = actor
        self.events: list[DomainEvent] = []

    def announce(self, *events: DomainEvent) -> None:
        """Events of no aggregate; they commit with the unit."""
        self.events.extend(events)

    async def save(self, table: Table, aggregate: A, row: Mapping[str, Any], *, what: str, key: Sequence[str] = ("id",)) -> A:
        """Insert (version 0) or update by ``key``; pending events go to the outbox. Raises `StaleVersion`, naming ``what``."""
        saved = aggregate.saved()
        values = {**row, "version": saved.version}
        if aggregate.version == 0:
            result = await self.connection.execute(_insert_once(table), values)
        else:
            same = {f"same_{name}": row[name] for name in key}
            changed = {**values, **same, "old_version": aggregate.version}
            result = await self.connection.execute(_update_version(table, tuple(values), key), changed)
        if result.rowcount != 1:
            raise StaleVersion(f"{what} was saved by somebody else meanwhile: read it again")
        self.events.extend(aggregate.pending_events)
        return saved

    async def save_all(self, table: Table, aggregates: Sequence[A], rows: Iterable[Mapping[str, Any]], *, what: str) -> Sequence[A]:
        """What `save` does for each, in one statement and by ``id``. Some are written when it raises: then leave the unit."""
        saved = [aggregate.saved() for aggregate in aggregates]
        given = [{**row, "version": one.version} for row, one in zip(rows, saved, strict=True)]
        written = await driver_of(self.connection).fetchval(_save_all(table), json.dumps(given, default=str))
        if written != len(saved):
            raise StaleVersion(f"{what} were saved by somebody else meanwhile: read them again")
        for aggregate in aggregates:
            self.events.extend(aggregate.pending_events)
        return saved


@cache
def _save_all(table: Table) -> str:
    names = [column.name for column in table.columns]
    return f"""
        with given as (
            select * from json_populate_recordset(null::{table.fullname}, cast($1 as json))
        ), changed as (
            update {table.fullname} as stored set ({", ".join(names)}) = row ({", ".join(f"given.{name}" for name in names)})
            from given where stored.id = given.id and stored.version = given.version - 1 returning 1
        ), added as (
            insert into {table.fullname} ({", ".join(names)}) select {", ".join(names)} from given where version = 1
            on conflict do nothing returning 1
        )
        select (select count(*) from changed) + (select count(*) from added)
        """  # noqa: S608 - our own names


@cache
def _insert_once(table: Table) -> Insert:
    # Not an error inside the transaction: the caller decides what a taken key means.
    return insert(table).on_conflict_do_nothing()


@cache
def _update_version(table: Table, columns: Sequence[str], key: Sequence[str]) -> Update:
    same = [table.c[name] == bindparam(f"same_{name}") for name in key]
    changed: dict[str, Any] = {name: bindparam(name) for name in columns if name not in key}
    return update(table).where(*same, table.c.version == bindparam("old_version")).values(changed)


U = TypeVar("U", bound=PostgresUnit)


class PostgresUnits(Generic[U]):
    """Opens units of one context on ``engine``; ``codec`` must know the events that its aggregates announce."""

    unit: Callable[[AsyncConnection, Actor], U]

    def __init__(self, engine: AsyncEngine, codec: EventCodec, ids: IdGenerator) -> None:
        self._engine = engine
        self._codec = codec
        self._ids = ids

    def __call__(self, actor: Actor) -> AbstractAsyncContextManager[U]:
        return self._open(actor)

    @asynccontextmanager
    async def _open(self, actor: Actor) -> AsyncIterator[U]:
        async with transaction(self._engine, actor) as connection:
            unit = self.unit(connection, actor)
            yield unit
            if unit.events:
                await self._append(connection, unit.events, actor)

    async def _append(self, connection: AsyncConnection, events: Sequence[DomainEvent], actor: Actor) -> None:
        ids = [self._ids.new_id() for _ in events]
        keys = [event.ordering_key for event in events]
        types = [event.type for event in events]
        payloads = [json.dumps(self._codec.to_payload(event), separators=(",", ":")) for event in events]
        driver = driver_of(connection)
        triples = zip(ids, events, payloads, strict=True)
        audited = [(id_, event, payload) for id_, event, payload in triples if isinstance(event, AuditedEvent)]
        if audited:
            about = [(id_, event.type, event.user_id, payload) for id_, event, payload in audited]
            await driver.execute(_AUDIT, *zip(*about, strict=True), actor.acting_user_id, actor.name, actor.trace_id)
        # Last: it takes the locks of the ordering keys, which end with the commit.
        await driver.execute(_APPEND, ids, keys, types, payloads, actor.trace_id)
