"""Rotation of the keys that seal personal data, while everybody goes on working."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, select, text, update

from adapters.postgres.auth.data_keys import KEY_COLUMNS, wrapped_key
from adapters.postgres.auth.keys import PostgresAuthUnit, PostgresAuthUnits
from adapters.postgres.tables.auth.accounts import data_keys, one_time_tokens, user_accounts
from adapters.postgres.tables.auth.factors import totp_factors
from adapters.postgres.tables.auth.identities import identities
from adapters.postgres.tables.auth.phones import phone_proofs, phones
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.events import DataKeyReplaced, DataKeysRewrapped
from tradingcore.auth.ports.sealing import Sealer, WrappedKey
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.ports import Clock

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class SealedTable:
    """Where values lie that are sealed under the data key of ``owner``: the columns called ``…_sealed``.

    A value is about ``<name>.<column>:<row>``, where ``row`` is the column that tells one row from all others.
    """

    table: Table
    name: str
    owner: str
    row: str

    @property
    def columns(self) -> Sequence[str]:
        return [column.name for column in self.table.columns if column.name.endswith("_sealed")]

    def about(self, column: str, row: Any) -> str:
        """What the value in a column of a row of this table is about, as its mapper says it."""
        key = getattr(row, self.row)
        return f"{self.name}.{column}:{key.hex() if isinstance(key, bytes) else key}"


SEALED_TABLES: Final = (
    SealedTable(user_accounts, "user_accounts", "id", "id"),
    SealedTable(one_time_tokens, "one_time_tokens", "user_id", "token_hash"),
    SealedTable(identities, "identities", "user_id", "id"),
    SealedTable(totp_factors, "public.totp_factors", "user_id", "user_id"),
    SealedTable(phones, "phones", "user_id", "user_id"),
    SealedTable(phone_proofs, "phone_proofs", "user_id", "id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """How far a rotation is: data keys that carry the new version, and those whose old key is not in the ring any more."""

    done: int = 0
    unreadable: tuple[UUID, ...] = ()


class DataKeyRotation:
    """For operators: it needs the platform's permission.

    Each batch is a transaction, so a run that is interrupted loses at most one batch of work, nothing else: what an older version
    wrapped stays readable, and the next run goes on where this one ended.
    """

    def __init__(self, units: PostgresAuthUnits, sealer: Sealer, clock: Clock) -> None:
        self._units = units
        self._sealer = sealer
        self._clock = clock

    async def is_pending(self, actor: Actor) -> bool:
        """Whether there are data keys of another version than the current one."""
        return bool(await self.versions_in_use(actor) - {self._sealer.current_version})

    async def versions_in_use(self, actor: Actor) -> frozenset[str]:
        async with self._units(actor) as unit:
            return frozenset((await unit.connection.execute(select(data_keys.c.key_version).distinct())).scalars())

    async def rewrap(self, actor: Actor, *, batch: int = BATCH) -> AsyncIterator[Rewrapped]:
        """Wrap every data key by the current version; yields after each batch. Two runs at once share the work."""
        last, progress = UUID(int=0), Rewrapped()
        while True:
            async with self._units(actor) as unit:
                version = self._sealer.current_version
                found = await self._outdated(unit, version, after=last, limit=batch)
                fresh, unreadable = self._rewrapped(found)
                await _store(unit, fresh)
                progress = Rewrapped(done=progress.done + len(fresh), unreadable=progress.unreadable + unreadable)
                if len(found) < batch:
                    unit.announce(
                        DataKeysRewrapped(
                            occurred_at=self._clock.now(), user_id=None, key_version=version, unreadable=len(progress.unreadable)
                        )
                    )
            yield progress
            if len(found) < batch:
                return
            last = found[-1].id

    async def reseal(self, actor: Actor, user_id: UserId) -> int:
        """Give a user a fresh data key, seal everything anew under it, and return how many values those were.

        All or nothing, in one transaction. It waits until nobody holds the old key and meanwhile keeps everybody from
        reading any: a call that has read a sealed value just before and asks for its key just after fails, and may be repeated.
        Raises `Unsealable` when something does not open, and changes nothing then.
        """
        async with self._units(actor) as unit:
            # Who has read a key holds a share of this lock until its transaction ends: afterwards nobody writes with the old one.
            await unit.connection.execute(text("lock table public.data_keys in access exclusive mode"))
            old = await unit.data_keys.of(user_id)
            new = self._sealer.new_key()
            count = 0
            for place in SEALED_TABLES:
                count += await self._reseal_table(unit, place, user_id, old, new)
            await unit.connection.execute(delete(data_keys).where(data_keys.c.user_id == user_id))
            await unit.data_keys.store(user_id, new)
            unit.announce(DataKeyReplaced(occurred_at=self._clock.now(), user_id=user_id))
        return count

    async def _outdated(self, unit: PostgresAuthUnit, version: str, *, after: UUID, limit: int) -> Sequence[WrappedKey]:
        statement = (
            select(*KEY_COLUMNS)
            .where(data_keys.c.key_version != version, data_keys.c.id > after)
            .order_by(data_keys.c.id)
            .limit(limit)
            .with_for_update(key_share=True)
        )
        return [wrapped_key(row) for row in await unit.connection.execute(statement)]

    def _rewrapped(self, keys: Sequence[WrappedKey]) -> tuple[Sequence[WrappedKey], tuple[UUID, ...]]:
        fresh, unreadable = [], []
        for key in keys:
            try:
                fresh.append(self._sealer.rewrap(key))
            except Unsealable:
                unreadable.append(key.id)
        return fresh, tuple(unreadable)

    async def _reseal_table(
        self, unit: PostgresAuthUnit, place: SealedTable, user_id: UserId, old: WrappedKey, new: WrappedKey
    ) -> int:
        columns = place.table.c
        chosen = [columns[name] for name in place.columns]
        found = await unit.connection.execute(
            select(columns[place.row], *chosen).where(columns[place.owner] == user_id).with_for_update(key_share=True)
        )
        count = 0
        for row in found.all():
            values = {
                name: self._sealer.seal(
                    new, self._sealer.open(old, bytes(sealed), about=place.about(name, row)), about=place.about(name, row)
                )
                for name in place.columns
                if (sealed := getattr(row, name)) is not None
            }
            if values:
                await unit.connection.execute(
                    update(place.table).where(columns[place.row] == getattr(row, place.row)).values(values)
                )
            count += len(values)
        return count


async def _store(unit: PostgresAuthUnit, keys: Sequence[WrappedKey]) -> None:
    if keys:
        statement = (
            update(data_keys)
            .where(data_keys.c.id == bindparam("same_id"))
            .values(wrapped=bindparam("new_wrapped"), key_version=bindparam("new_version"))
        )
        rows = [{"same_id": key.id, "new_wrapped": key.wrapped, "new_version": key.key_version} for key in keys]
        await unit.connection.execute(statement, rows)
