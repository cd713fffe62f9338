from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.memory.auth.accounts import MemoryAccountRepository, MemoryOneTimeTokens
from adapters.memory.auth.erasure import MemoryPersonalRecords
from adapters.memory.auth.factors import MemoryBackupCodes, MemoryChallenges, MemoryTotpFactors, MemoryTrustedDevices
from adapters.memory.auth.identities import MemoryIdentityRepository, MemoryOAuthFlowRepository
from adapters.memory.auth.passkeys import MemoryPasskeys
from adapters.memory.auth.phones import MemoryPhoneRepository
from adapters.memory.auth.proposals import MemoryProposalRepository
from adapters.memory.auth.sessions import MemorySessionRepository
from adapters.memory.database import MemoryDatabase, MemoryUnit, MemoryUnits, Stored
from adapters.memory.lazy import lazy
from tradingcore.auth.errors import ApiKeyNotFound
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.model.api_key import ApiKey, KeyHolder
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.auth.ports.keys import ApiKeyLookup, ApiKeyRepository, AuthUnitOfWork, TicketStore
from tradingcore.kernel.authz import Actor, Permission, UserId


class MemoryApiKeyRepository(Stored[ApiKeyId, ApiKey], ApiKeyRepository):
    def _may_see(self, key: ApiKey) -> bool:
        actor = self._unit.actor
        return Permission.KEYS_MANAGE in actor.permissions or key.user.id == actor.user_id

    async def get(self, key_id: ApiKeyId) -> ApiKey:
        key = self._staged.find(key_id)
        if key is None or not self._may_see(key):
            raise ApiKeyNotFound(f"there is no API key {key_id}")
        return _with_present_holder(key, self._unit.database)

    async def list_all(self) -> Sequence[ApiKey]:
        seen = [_with_present_holder(key, self._unit.database) for key in self._staged if self._may_see(key)]
        return sorted(seen, key=lambda key: (key.created_at, key.id), reverse=True)

    async def list_of(self, user_id: UserId) -> Sequence[ApiKey]:
        return [key for key in await self.list_all() if key.user.id == user_id]

    async def save(self, key: ApiKey) -> ApiKey:
        is_own = self._unit.actor.is_platform or key.user.id == self._unit.actor.user_id
        if not (is_own if key.version == 0 else self._may_see(key)):
            raise ApiKeyNotFound(f"there is no API key {key.id}")
        return await super().save(key)


def _with_present_holder(key: ApiKey, database: MemoryDatabase) -> ApiKey:
    account = database.user_accounts.rows.get(key.user.id)
    if account is None:  # made in the unit that asks
        return key
    is_active = account.status is AccountStatus.ACTIVE
    return replace(key, user=KeyHolder(id=account.id, roles=account.roles, plan=account.plan, is_active=is_active))


class MemoryAuthUnit(MemoryUnit, AuthUnitOfWork, FactorUnitOfWork):
    @lazy
    def api_keys(self) -> MemoryApiKeyRepository:
        return MemoryApiKeyRepository(self, self.database.api_keys)

    @lazy
    def proposals(self) -> MemoryProposalRepository:
        return MemoryProposalRepository(self, self.database.proposals)

    @lazy
    def accounts(self) -> MemoryAccountRepository:
        return MemoryAccountRepository(self)

    @lazy
    def one_time_tokens(self) -> MemoryOneTimeTokens:
        return MemoryOneTimeTokens(self)

    @lazy
    def sessions(self) -> MemorySessionRepository:
        return MemorySessionRepository(self)

    @lazy
    def identities(self) -> MemoryIdentityRepository:
        return MemoryIdentityRepository(self)

    @lazy
    def oauth_flows(self) -> MemoryOAuthFlowRepository:
        return MemoryOAuthFlowRepository(self)

    @lazy
    def totp_factors(self) -> MemoryTotpFactors:
        return MemoryTotpFactors(self)

    @lazy
    def backup_codes(self) -> MemoryBackupCodes:
        return MemoryBackupCodes(self)

    @lazy
    def challenges(self) -> MemoryChallenges:
        return MemoryChallenges(self)

    @lazy
    def phones(self) -> MemoryPhoneRepository:
        return MemoryPhoneRepository(self)

    @lazy
    def personal_records(self) -> MemoryPersonalRecords:
        return MemoryPersonalRecords(self)

    @lazy
    def passkeys(self) -> MemoryPasskeys:
        return MemoryPasskeys(self)

    @lazy
    def trusted_devices(self) -> MemoryTrustedDevices:
        return MemoryTrustedDevices(self)


class MemoryAuthUnits(MemoryUnits[MemoryAuthUnit]):
    """A `UnitOfWorkFactory` of `AuthUnitOfWork`."""

    unit = MemoryAuthUnit


class MemoryApiKeyLookup(ApiKeyLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def find_for_authentication(self, key_id: ApiKeyId) -> ApiKey | None:
        key = self._database.api_keys.rows.get(key_id)
        return None if key is None else _with_present_holder(key, self._database)


class MemoryTicketStore(TicketStore):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def put(self, ticket_hash: bytes, actor: Actor, *, expires_at: datetime) -> None:
        tickets, now = self._database.tickets, self._database.clock.now()
        for expired in [known for known, (_, end) in tickets.items() if end <= now]:
            del tickets[expired]
        tickets[ticket_hash] = (actor, expires_at)

    async def take(self, ticket_hash: bytes, *, at: datetime) -> Actor | None:
        actor, expires_at = self._database.tickets.pop(ticket_hash, (None, at))
        return actor if at < expires_at else None
