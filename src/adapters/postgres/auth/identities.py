from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.dml import ReturningDelete

from adapters.postgres.auth.accounts import LOOK_UP
from adapters.postgres.auth.data_keys import DataKeys
from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.identities import (
    flow_from_row,
    flow_to_row,
    identity_from_row,
    identity_index,
    identity_to_row,
)
from adapters.postgres.tables.auth.identities import identities, oauth_flows
from adapters.postgres.unit import PostgresUnit
from tradingcore.auth.errors import IdentityNotFound
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.identity import Identity, Provider
from tradingcore.auth.model.oauth_flow import FlowStage, OAuthFlow
from tradingcore.auth.ports.identities import IdentityLookup, IdentityRepository, OAuthFlowRepository
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.authz import UserId

# The policies show a row to whoever names it: an index is keyed, and the hash of a key cannot be guessed.
_NAME_IDENTITY: Final = text("select set_config('app.identity_index', :index, true)")
_NAME_FLOW: Final = text("select set_config('app.oauth_key', :hash, true)")


class PostgresIdentityRepository(IdentityRepository):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit, keys: DataKeys, sealer: Sealer) -> None:
        self._unit = unit
        self._keys = keys
        self._sealer = sealer

    async def get(self, identity_id: IdentityId) -> Identity:
        row = (await self._unit.connection.execute(select(identities).where(identities.c.id == identity_id))).one_or_none()
        if row is None:
            raise _unknown(identity_id)
        return identity_from_row(row, self._sealer, await self._keys.of(UserId(row.user_id)))

    async def list_of(self, user_id: UserId) -> Sequence[Identity]:
        statement = select(identities).where(identities.c.user_id == user_id).order_by(identities.c.linked_at, identities.c.id)
        rows = (await self._unit.connection.execute(statement)).all()
        return [identity_from_row(row, self._sealer, await self._keys.of(user_id)) for row in rows]

    async def save(self, identity: Identity) -> Identity:
        row = identity_to_row(identity, self._sealer, await self._keys.of(identity.user_id))
        return await self._unit.save(identities, identity, row, what=f"identity {identity.id}")

    async def delete(self, identity: Identity) -> None:
        if (await self._unit.connection.execute(delete(identities).where(identities.c.id == identity.id))).rowcount != 1:
            raise _unknown(identity.id)

    async def delete_all(self, user_id: UserId) -> int:
        return (await self._unit.connection.execute(delete(identities).where(identities.c.user_id == user_id))).rowcount


def _unknown(identity_id: IdentityId) -> IdentityNotFound:
    return IdentityNotFound(f"there is no identity {identity_id}")


class PostgresIdentityLookup(IdentityLookup):
    """The role of ``engine`` is ``tc_api`` or ``tc_worker``."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer

    async def owner_of(self, provider: Provider, subject: str) -> UserId | None:
        index = identity_index(self._sealer, provider, subject)
        async with transaction(self._engine, LOOK_UP, read_only=True) as connection:
            await connection.execute(_NAME_IDENTITY, {"index": index.hex()})
            found = await connection.execute(select(identities.c.user_id).where(identities.c.subject_index == index))
            owner = found.scalar_one_or_none()
        return None if owner is None else UserId(owner)


class PostgresOAuthFlowRepository(OAuthFlowRepository):
    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def add(self, flow: OAuthFlow) -> None:
        await self._unit.connection.execute(_NAME_FLOW, {"hash": flow.key_hash.hex()})
        await self._unit.connection.execute(insert(oauth_flows), flow_to_row(flow))

    async def find(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        return await self._held(select(oauth_flows), key_hash, stage, browser_hash, at)

    async def take(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        return await self._held(delete(oauth_flows).returning(oauth_flows), key_hash, stage, browser_hash, at)

    async def _held(
        self, statement: Select[Any] | ReturningDelete[Any], key_hash: bytes, stage: FlowStage, browser_hash: bytes, at: datetime
    ) -> OAuthFlow | None:
        await self._unit.connection.execute(_NAME_FLOW, {"hash": key_hash.hex()})
        held = statement.where(
            oauth_flows.c.key_hash == key_hash,
            oauth_flows.c.stage == stage,
            oauth_flows.c.browser_hash == browser_hash,
            oauth_flows.c.expires_at > at,
        )
        row = (await self._unit.connection.execute(held)).one_or_none()
        return None if row is None else flow_from_row(row)

    async def forget_expired(self, *, at: datetime) -> int:
        return (await self._unit.connection.execute(delete(oauth_flows).where(oauth_flows.c.expires_at <= at))).rowcount
