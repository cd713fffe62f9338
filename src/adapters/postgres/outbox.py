from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import fetch, statements
from adapters.postgres.listener import Listener
from adapters.postgres.unit import CHANNEL
from tradingcore.kernel.aggregate import RecordedEvent
from tradingcore.kernel.authz import EventId, TraceId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.ports import ClaimedEvent, DeadLetters, Inbox, Outbox, OutboxStatus, ParkedEvent

# Losing a claim or a settlement in a crash means another delivery, which handlers expect: no need to wait for the disk.
_QUICK: Final = "(select set_config('synchronous_commit', 'off', true)) as quick"

# The oldest event of each key, found by one probe of the index per key. Whether it is free is asked of the locked row:
# another relay may have taken it since this statement began.
_SETTLE: Final = f"""
    delete from public.outbox
    using unnest(cast($1 as uuid[]), cast($2 as bigint[])) as settled (id, token), {_QUICK}
    where outbox.id = settled.id and outbox.token = settled.token
    """  # noqa: S608 - a constant
# What is settled goes by what was deleted, not by what was asked for: the lease may have gone to somebody else.
_CLAIM: Final = f"""
    with recursive settled as ({_SETTLE} returning outbox.sequence), oldest as (
        (
            select ordering_key, sequence from public.outbox
            where sequence <> all (array(select sequence from settled)) order by ordering_key, sequence limit 1
        )
        union all
        select later.ordering_key, later.sequence
        from oldest cross join lateral (
            select ordering_key, sequence from public.outbox
            where outbox.ordering_key > oldest.ordering_key and sequence <> all (array(select sequence from settled))
            order by ordering_key, sequence limit 1
        ) as later
    ), free as (
        select outbox.sequence from public.outbox join oldest using (sequence), {_QUICK}
        where outbox.free_at is null or outbox.free_at <= clock_timestamp()
        order by outbox.sequence limit $3
        for update of outbox skip locked
    )
    update public.outbox
    set token = token + 1, attempts = attempts + 1, free_at = clock_timestamp() + cast($4 as interval)
    from free where outbox.sequence = free.sequence
    returning outbox.sequence, outbox.id, outbox.type, outbox.payload, outbox.trace_id, outbox.token, outbox.attempts
    """  # noqa: S608 - a constant
_RETRY: Final = text(
    "update public.outbox set token = token + 1, free_at = clock_timestamp() + cast(:delay as interval), error = :error"
    " where id = :id and token = :token"
)
_PARK: Final = text(
    """
    with parked as (
        delete from public.outbox where id = :id and token = :token
        returning id, ordering_key, type, payload, trace_id, attempts
    )
    insert into public.dead_letters (id, ordering_key, type, payload, trace_id, attempts, error, parked_at)
    select id, ordering_key, type, payload, trace_id, attempts, :error, clock_timestamp() from parked
    """
)
_REPLAY: Final = text(
    f"""
    with chosen as (
        delete from public.dead_letters where :all or id = any (cast(:ids as uuid[]))
        returning id, ordering_key, type, payload, trace_id, parked_at
    )
    insert into public.outbox (id, ordering_key, type, payload, trace_id, committed_at)
    select id, ordering_key, type, payload, trace_id, clock_timestamp() from chosen order by parked_at, id
    returning pg_notify('{CHANNEL}', '')
    """  # noqa: S608 - a constant
)
_STATUS: Final = text("select open, parked, oldest_age from public.outbox_status()")
_PARKED: Final = text(
    "select id, type, ordering_key, attempts, error, parked_at from public.dead_letters"
    " order by parked_at desc, id desc limit :limit"
)
_FORGET: Final = text("delete from public.inbox where handled_at < clock_timestamp() - cast(:age as interval)")


class PostgresOutbox(Outbox, DeadLetters, Inbox):
    """The role of ``engine`` is ``tc_system``, or ``tc_api`` for `status` alone.

    One connection of its pool is kept for LISTEN once `wait` was called.

    ``codec`` must know every event that is stored: a claim that meets an unknown one parks it.
    """

    def __init__(self, engine: AsyncEngine, codec: EventCodec) -> None:
        self._engine = engine
        self._codec = codec
        self._listener = Listener(engine, CHANNEL)

    async def claim(self, *, limit: int, lease: timedelta, settled: Sequence[ClaimedEvent] = ()) -> Sequence[ClaimedEvent]:
        rows = await fetch(self._engine, _CLAIM, *_marks(settled), limit, lease)
        claimed = []
        for _, id_, type_name, payload, trace_id, token, attempts in sorted(rows, key=itemgetter(0)):
            try:
                event = self._codec.from_payload(type_name, payload)
            except (InvalidInput, TypeError, KeyError, ValueError) as error:
                await self._park(id_, token, error=f"the stored {type_name} cannot be read: {error}")
                continue
            recorded = RecordedEvent(id=EventId(id_), trace_id=TraceId(trace_id), event=event)
            claimed.append(ClaimedEvent(recorded=recorded, token=token, attempt=attempts))
        return claimed

    async def settle(self, claimed: Sequence[ClaimedEvent]) -> None:
        if claimed:
            await fetch(self._engine, _SETTLE, *_marks(claimed))

    async def retry(self, claimed: ClaimedEvent, *, delay: timedelta, error: str) -> None:
        async with statements(self._engine) as connection:
            values = {"id": claimed.recorded.id, "token": claimed.token, "delay": delay, "error": error}
            await connection.execute(_RETRY, values)

    async def park(self, claimed: ClaimedEvent, *, error: str) -> None:
        await self._park(claimed.recorded.id, claimed.token, error=error)

    async def _park(self, id_: UUID, token: int, *, error: str) -> None:
        async with statements(self._engine) as connection:
            await connection.execute(_PARK, {"id": id_, "token": token, "error": error})

    async def replay(self, ids: Sequence[EventId] | None = None) -> int:
        chosen = {"all": ids is None, "ids": list(ids or ())}
        async with statements(self._engine) as connection:
            return len((await connection.execute(_REPLAY, chosen)).all())

    async def wait(self, at_most: timedelta) -> None:
        await self._listener.wait(at_most.total_seconds())

    async def status(self) -> OutboxStatus:
        async with statements(self._engine) as connection:
            row = (await connection.execute(_STATUS)).one()
        return OutboxStatus(open=row.open, parked=row.parked, oldest_age=row.oldest_age)

    async def list_parked(self, *, limit: int) -> Sequence[ParkedEvent]:
        async with statements(self._engine) as connection:
            rows = (await connection.execute(_PARKED, {"limit": limit})).all()
        return [
            ParkedEvent(
                id=EventId(row.id),
                type=row.type,
                ordering_key=row.ordering_key,
                attempts=row.attempts,
                error=row.error,
                parked_at=row.parked_at,
            )
            for row in rows
        ]

    async def forget_handled(self, *, older_than: timedelta) -> int:
        async with statements(self._engine) as connection:
            return (await connection.execute(_FORGET, {"age": older_than})).rowcount

    async def close(self) -> None:
        """Give the listening connection back. Call it before the engine is disposed of."""
        await self._listener.close()


def _marks(claimed: Sequence[ClaimedEvent]) -> tuple[list[EventId], list[int]]:
    return [one.recorded.id for one in claimed], [one.token for one in claimed]
