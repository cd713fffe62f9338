from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final

from sqlalchemy import Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.auth.accounts import PostgresAccountRepository, PostgresOneTimeTokens
from adapters.postgres.auth.data_keys import DataKeys
from adapters.postgres.auth.erasure import PostgresPersonalRecords
from adapters.postgres.auth.factors import PostgresBackupCodes, PostgresChallenges, PostgresTotpFactors, PostgresTrustedDevices
from adapters.postgres.auth.identities import PostgresIdentityRepository, PostgresOAuthFlowRepository
from adapters.postgres.auth.passkeys import PostgresPasskeys
from adapters.postgres.auth.phones import PostgresPhoneRepository
from adapters.postgres.auth.proposals import PostgresProposalRepository
from adapters.postgres.auth.sessions import PostgresSessionRepository
from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.keys import actor_from_json, actor_to_json, api_key_from_row, api_key_to_row
from adapters.postgres.tables.auth.accounts import user_accounts
from adapters.postgres.tables.auth.keys import api_keys, stream_tickets
from adapters.postgres.unit import NOBODY, PostgresUnit, PostgresUnits
from tradingcore.auth.errors import ApiKeyNotFound
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.ports.keys import ApiKeyLookup, ApiKeyRepository, AuthUnitOfWork, TicketStore
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import IdGenerator

_KEYS: Final[Select[Any]] = select(
    api_keys,
    user_accounts.c.roles.label("user_roles"),
    user_accounts.c.plan.label("user_plan"),
    user_accounts.c.status.label("user_status"),
).join(user_accounts, user_accounts.c.id == api_keys.c.user_id)
_NEWEST_FIRST: Final = api_keys.c.created_at.desc(), api_keys.c.id.desc()
# The policies show a row to whoever names it: its id and its hash cannot be guessed.
_NAME_KEY: Final = text("select set_config('app.api_key_id', :id, true)")
_NAME_TICKET: Final = text("select set_config('app.ticket_hash', :hash, true)")


class PostgresApiKeyRepository(ApiKeyRepository):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def get(self, key_id: ApiKeyId) -> ApiKey:
        row = (await self._unit.connection.execute(_KEYS.where(api_keys.c.id == key_id))).one_or_none()
        if row is None:
            raise ApiKeyNotFound(f"there is no API key {key_id}")
        return api_key_from_row(row)

    async def list_all(self) -> Sequence[ApiKey]:
        rows = await self._unit.connection.execute(_KEYS.order_by(*_NEWEST_FIRST))
        return [api_key_from_row(row) for row in rows]

    async def list_of(self, user_id: UserId) -> Sequence[ApiKey]:
        # Named although the policy would choose the same: by itself it is no condition that an index serves.
        rows = await self._unit.connection.execute(_KEYS.where(api_keys.c.user_id == user_id).order_by(*_NEWEST_FIRST))
        return [api_key_from_row(row) for row in rows]

    async def save(self, key: ApiKey) -> ApiKey:
        actor = self._unit.actor
        may_revoke = key.version > 0 and Permission.KEYS_MANAGE in actor.permissions
        if not (actor.is_platform or may_revoke or key.user.id == actor.user_id):
            raise ApiKeyNotFound(f"there is no API key {key.id}")
        if key.version == 0:
            return await self._unit.save(api_keys, key, api_key_to_row(key), what=f"API key {key.id}")
        # Revoking is the only change that a key knows, and the only one that the roles may make.
        saved = key.saved()
        statement = (
            update(api_keys)
            .where(api_keys.c.id == key.id, api_keys.c.version == key.version)
            .values(version=saved.version, revoked_at=key.revoked_at)
        )
        if (await self._unit.connection.execute(statement)).rowcount != 1:
            raise StaleVersion(f"API key {key.id} was saved by somebody else meanwhile: read it again")
        self._unit.announce(*key.pending_events)
        return saved


class PostgresAuthUnit(PostgresUnit, AuthUnitOfWork):
    def __init__(self, connection: AsyncConnection, actor: Actor, *, sealer: Sealer) -> None:
        super().__init__(connection, actor)
        self._sealer = sealer

    @cached_property
    def data_keys(self) -> DataKeys:
        return DataKeys(self.connection, self._sealer)

    @cached_property
    def accounts(self) -> PostgresAccountRepository:
        return PostgresAccountRepository(self, self.data_keys, self._sealer)

    @cached_property
    def one_time_tokens(self) -> PostgresOneTimeTokens:
        return PostgresOneTimeTokens(self, self.data_keys, self._sealer)

    @cached_property
    def totp_factors(self) -> PostgresTotpFactors:
        return PostgresTotpFactors(self, self.data_keys, self._sealer)

    @cached_property
    def backup_codes(self) -> PostgresBackupCodes:
        return PostgresBackupCodes(self)

    @cached_property
    def challenges(self) -> PostgresChallenges:
        return PostgresChallenges(self)

    @cached_property
    def passkeys(self) -> PostgresPasskeys:
        return PostgresPasskeys(self)

    @cached_property
    def trusted_devices(self) -> PostgresTrustedDevices:
        return PostgresTrustedDevices(self)

    @cached_property
    def phones(self) -> PostgresPhoneRepository:
        return PostgresPhoneRepository(self, self.data_keys, self._sealer)

    @cached_property
    def identities(self) -> PostgresIdentityRepository:
        return PostgresIdentityRepository(self, self.data_keys, self._sealer)

    @cached_property
    def oauth_flows(self) -> PostgresOAuthFlowRepository:
        return PostgresOAuthFlowRepository(self)

    @cached_property
    def personal_records(self) -> PostgresPersonalRecords:
        return PostgresPersonalRecords(self)

    @cached_property
    def sessions(self) -> PostgresSessionRepository:
        return PostgresSessionRepository(self)

    @cached_property
    def proposals(self) -> PostgresProposalRepository:
        return PostgresProposalRepository(self)

    @cached_property
    def api_keys(self) -> PostgresApiKeyRepository:
        return PostgresApiKeyRepository(self)


class PostgresAuthUnits(PostgresUnits[PostgresAuthUnit]):
    """A `UnitOfWorkFactory` of `AuthUnitOfWork`: ``tc_api`` for users, ``tc_worker`` for operators and the system."""

    def __init__(self, engine: AsyncEngine, codec: EventCodec, ids: IdGenerator, sealer: Sealer) -> None:
        super().__init__(engine, codec, ids)
        self.unit = partial(PostgresAuthUnit, sealer=sealer)


class PostgresApiKeyLookup(ApiKeyLookup):
    """The role of ``engine`` is ``tc_api``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find_for_authentication(self, key_id: ApiKeyId) -> ApiKey | None:
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            await connection.execute(_NAME_KEY, {"id": str(key_id)})
            row = (await connection.execute(_KEYS.where(api_keys.c.id == key_id))).one_or_none()
        return None if row is None else api_key_from_row(row)


class PostgresTicketStore(TicketStore):
    """The role of ``engine`` is ``tc_api``. Issuing a ticket sweeps the expired ones of its user."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, ticket_hash: bytes, actor: Actor, *, expires_at: datetime) -> None:
        row = {"ticket_hash": ticket_hash, "user_id": actor.user_id, "holder": actor_to_json(actor), "expires_at": expires_at}
        expired = stream_tickets.c.expires_at < func.now(), stream_tickets.c.user_id == actor.user_id
        async with transaction(self._engine, actor) as connection:
            await connection.execute(delete(stream_tickets).where(*expired))
            await connection.execute(insert(stream_tickets), row)

    async def take(self, ticket_hash: bytes, *, at: datetime) -> Actor | None:
        taken = (
            delete(stream_tickets)
            .where(stream_tickets.c.ticket_hash == ticket_hash)
            .returning(stream_tickets.c.holder, stream_tickets.c.expires_at)
        )
        async with transaction(self._engine, NOBODY) as connection:
            await connection.execute(_NAME_TICKET, {"hash": ticket_hash.hex()})
            row = (await connection.execute(taken)).one_or_none()
        return actor_from_json(row.holder) if row is not None and at < row.expires_at else None
