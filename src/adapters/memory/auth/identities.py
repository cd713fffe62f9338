from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.auth.accounts import is_own, refuse_foreign
from adapters.memory.database import MemoryDatabase, MemoryUnit, Stored, WaitingFlow
from adapters.memory.table import Kept
from tradingcore.auth.errors import IdentityNotFound
from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.identity import Identity, Provider
from tradingcore.auth.model.oauth_flow import FlowStage, OAuthFlow
from tradingcore.auth.ports.identities import IdentityLookup, IdentityRepository, OAuthFlowRepository
from tradingcore.kernel.authz import UserId


class MemoryIdentityRepository(Stored[IdentityId, Identity], IdentityRepository):
    def __init__(self, unit: MemoryUnit) -> None:
        super().__init__(unit, unit.database.identities)

    async def get(self, identity_id: IdentityId) -> Identity:
        identity = self._staged.find(identity_id)
        if identity is None or not is_own(self._unit.actor, identity.user_id):
            raise IdentityNotFound(f"there is no identity {identity_id}")
        return identity

    async def list_of(self, user_id: UserId) -> Sequence[Identity]:
        if not is_own(self._unit.actor, user_id):
            return []
        return sorted(self._staged.in_group(user_id), key=lambda identity: (identity.linked_at, identity.id))

    async def save(self, identity: Identity) -> Identity:
        refuse_foreign(self._unit.actor, identity.user_id)
        return await super().save(identity)

    async def delete(self, identity: Identity) -> None:
        await self.get(identity.id)
        self._staged.delete([identity.id])

    async def delete_all(self, user_id: UserId) -> int:
        return self._staged.delete([identity.id for identity in await self.list_of(user_id)])


class MemoryIdentityLookup(IdentityLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def owner_of(self, provider: Provider, subject: str) -> UserId | None:
        found = self._database.identities.unique_rows.get((provider, subject))
        return None if found is None else self._database.identities.rows[found].user_id


class MemoryOAuthFlowRepository(OAuthFlowRepository):
    """A flow that was taken stays as a mark, so that whoever takes it at the same time loses at the commit."""

    def __init__(self, unit: MemoryUnit) -> None:
        self._unit = unit
        self._staged = unit.stage(unit.database.oauth_flows)

    async def add(self, flow: OAuthFlow) -> None:
        if flow.user_id is not None:
            refuse_foreign(self._unit.actor, flow.user_id)
        self._staged.save(Kept(value=WaitingFlow(flow)))

    async def find(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        row = self._waiting(key_hash, stage, at)
        return None if row is None or row.value.flow.browser_hash != browser_hash else row.value.flow

    async def take(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        flow = await self.find(key_hash, stage, browser_hash=browser_hash, at=at)
        if flow is not None and (row := self._staged.find(key_hash)) is not None:
            self._mark(row)
        return flow

    async def forget_expired(self, *, at: datetime) -> int:
        if not self._unit.actor.is_platform:
            return 0
        expired = [row for row in self._staged if row.value.flow.expires_at <= at]
        self._staged.delete([row.value.flow.key_hash for row in expired])
        return sum(not row.value.is_taken for row in expired)

    def _waiting(self, key_hash: bytes, stage: FlowStage, at: datetime) -> Kept[WaitingFlow] | None:
        row = self._staged.find(key_hash)
        if row is None or row.value.is_taken or row.value.flow.stage is not stage or row.value.flow.expires_at <= at:
            return None
        return row

    def _mark(self, row: Kept[WaitingFlow]) -> None:
        self._staged.save(replace(row, value=replace(row.value, is_taken=True)))
