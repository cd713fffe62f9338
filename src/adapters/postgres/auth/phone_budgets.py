from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import case, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.engine import transaction
from adapters.postgres.tables.auth.phones import phone_blocks, phone_sends, phone_switch
from adapters.postgres.unit import NOBODY
from tradingcore.auth.ids import PhoneSendId
from tradingcore.auth.model.phone import (
    RANKS,
    DeliveryState,
    PlannedSend,
    SendRefusal,
    SpendLimits,
    SpendStatus,
    has_proven_itself,
    is_attack,
    nothing_is_sent,
    refusal_of,
)
from tradingcore.auth.ports.phones import SendLedger

# Of all processes one at a time decides about a send: the sums below are exact. Held for a few milliseconds, a few times a second.
_ALONE: Final = text("select pg_advisory_xact_lock(7361008)")
_RANK: Final = case({state.value: rank for state, rank in RANKS.items()}, value=phone_sends.c.state)


class PostgresSendLedger(SendLedger):
    """The role of ``engine`` is ``tc_api`` or ``tc_worker``; only the latter may throw the switch."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def reserve(self, planned: PlannedSend, limits: SpendLimits) -> None:
        # A block that is closed stays closed although the send is refused: so the error is raised after the commit.
        async with transaction(self._engine, NOBODY) as connection:
            await connection.execute(_ALONE)
            refusal = await _reserved(connection, planned, limits)
        if refusal is not None:
            raise nothing_is_sent(refusal)

    async def cancel(self, send_id: PhoneSendId) -> None:
        async with transaction(self._engine, NOBODY) as connection:
            await connection.execute(delete(phone_sends).where(phone_sends.c.id == send_id))

    async def accepted(self, send_id: PhoneSendId, reference: str) -> None:
        statement = (
            update(phone_sends).where(phone_sends.c.id == send_id).values(reference=reference, state=_moved(DeliveryState.SENT))
        )
        async with transaction(self._engine, NOBODY) as connection:
            await connection.execute(statement)

    async def converted(self, send_id: PhoneSendId, *, at: datetime) -> None:
        statement = update(phone_sends).where(phone_sends.c.id == send_id, phone_sends.c.converted_at.is_(None))
        async with transaction(self._engine, NOBODY) as connection:
            await connection.execute(statement.values(converted_at=at))

    async def record(self, reference: str, state: DeliveryState) -> bool:
        statement = update(phone_sends).where(phone_sends.c.reference == reference).values(state=_moved(state))
        async with transaction(self._engine, NOBODY) as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def set_stopped(self, *, is_stopped: bool) -> None:
        async with transaction(self._engine, NOBODY) as connection:
            statement = insert(phone_switch).values(id=1, is_stopped=is_stopped)
            await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"is_stopped": is_stopped}))

    async def status(self, *, at: datetime) -> SpendStatus:
        closed = select(phone_blocks.c.block).where(phone_blocks.c.closed_until > at).order_by(phone_blocks.c.block)
        figures = select(
            func.coalesce(func.sum(phone_sends.c.price), 0).label("spent"),
            func.count().label("sends"),
            func.count(phone_sends.c.converted_at).label("converted"),
        ).where(*_on_the_day_of(at))
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            row = (await connection.execute(figures)).one()
            return SpendStatus(
                is_stopped=await _is_stopped(connection),
                spent=Decimal(row.spent),
                sends=row.sends,
                converted=row.converted,
                closed_blocks=tuple((await connection.execute(closed)).scalars()),
            )


async def _reserved(connection: AsyncConnection, planned: PlannedSend, limits: SpendLimits) -> SendRefusal | None:
    closed_until = (
        await connection.execute(select(phone_blocks.c.closed_until).where(phone_blocks.c.block == planned.block))
    ).scalar_one_or_none()
    sends, converted = await _last(connection, planned.block, limits, since=closed_until)
    is_open = closed_until is None or planned.at >= closed_until
    if is_open and is_attack(limits, sends=sends, converted=converted):
        await _close(connection, planned.block, until=planned.at + limits.closed_for)
        is_open = False
    is_proven = has_proven_itself(limits, sends=sends, converted=converted)
    spent = await _spent(connection, planned)
    refusal = refusal_of(
        planned,
        limits,
        is_stopped=await _is_stopped(connection),
        is_block_closed=not is_open,
        spent=Decimal(spent.by_all),
        spent_unproven=Decimal(spent.by_unproven),
        spent_in_block=Decimal(spent.in_block),
        is_proven=is_proven,
    )
    if refusal is None:
        row = {
            "id": planned.id,
            "block": planned.block,
            "price": planned.price,
            "is_proven": is_proven,
            "sent_at": planned.at,
            "state": DeliveryState.RESERVED.value,
        }
        await connection.execute(insert(phone_sends), row)
    return refusal


async def _is_stopped(connection: AsyncConnection) -> bool:
    # Nobody has thrown the switch as long as there is no row.
    return bool((await connection.execute(select(phone_switch.c.is_stopped))).scalar_one_or_none())


async def _last(connection: AsyncConnection, block: str, limits: SpendLimits, *, since: datetime | None) -> tuple[int, int]:
    window = (
        select(phone_sends.c.converted_at, phone_sends.c.sent_at)
        .where(phone_sends.c.block == block)
        .order_by(phone_sends.c.sent_at.desc(), phone_sends.c.id.desc())
        .limit(limits.window)
        .subquery()
    )
    figures = select(func.count(), func.count(window.c.converted_at)).select_from(window)
    if since is not None:
        figures = figures.where(window.c.sent_at >= since)
    sends, converted = (await connection.execute(figures)).one()
    return sends, converted


async def _spent(connection: AsyncConnection, planned: PlannedSend) -> Any:
    price = phone_sends.c.price
    figures = select(
        func.coalesce(func.sum(price), 0).label("by_all"),
        func.coalesce(func.sum(price).filter(~phone_sends.c.is_proven), 0).label("by_unproven"),
        func.coalesce(func.sum(price).filter(phone_sends.c.block == planned.block), 0).label("in_block"),
    ).where(*_on_the_day_of(planned.at))
    return (await connection.execute(figures)).one()


async def _close(connection: AsyncConnection, block: str, *, until: datetime) -> None:
    statement = insert(phone_blocks).values(block=block, closed_until=until)
    await connection.execute(statement.on_conflict_do_update(index_elements=["block"], set_={"closed_until": until}))


def _on_the_day_of(at: datetime) -> tuple[Any, Any]:
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return phone_sends.c.sent_at >= day, phone_sends.c.sent_at < day + timedelta(days=1)


def _moved(state: DeliveryState) -> Any:
    return case((literal(RANKS[state]) > _RANK, state.value), else_=phone_sends.c.state)
