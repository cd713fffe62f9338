from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import DEFAULT_LIFETIME, SECRET_BYTES, ApiKey, ServiceUser, compose_token
from tradingcore.auth.ports.keys import AuthUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, UserId
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKeyCommand:
    """``scopes`` narrows the key below what role and plan give; ``None`` does not."""

    name: str
    role: Role
    plan: Plan = Plan.PRO
    scopes: frozenset[Permission] | None = None
    lifetime: timedelta = DEFAULT_LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedApiKey:
    """``token`` is shown once and stored nowhere."""

    key: ApiKey
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey(UseCase[CreateApiKeyCommand, CreatedApiKey]):
    """Make a service user and its key. Raises `InvalidInput`."""

    permission: ClassVar[Permission] = Permission.KEYS_MANAGE
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource
    environment: str

    async def handle(self, actor: Actor, command: CreateApiKeyCommand) -> CreatedApiKey:
        now = self.clock.now()
        secret = self.secrets.token(SECRET_BYTES)
        key = ApiKey.create(
            id=ApiKeyId(self.ids.new_id()),
            user=ServiceUser(
                id=UserId(self.ids.new_id()),
                name=command.name.strip(),
                roles=frozenset({command.role}),
                plan=command.plan,
                created_at=now,
            ),
            name=command.name,
            secret=secret,
            scopes=command.scopes,
            at=now,
            lifetime=command.lifetime,
        )
        async with self.uow(actor) as unit:
            saved = await unit.api_keys.save(key)
        return CreatedApiKey(key=saved, token=compose_token(self.environment, key.id, secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeysCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeys(UseCase[ListApiKeysCommand, Sequence[ApiKey]]):
    """Newest first."""

    permission: ClassVar[Permission] = Permission.KEYS_MANAGE
    uow: UnitOfWorkFactory[AuthUnitOfWork]

    async def handle(self, actor: Actor, command: ListApiKeysCommand) -> Sequence[ApiKey]:
        async with self.uow(actor) as unit:
            return await unit.api_keys.list_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKeyCommand:
    key_id: ApiKeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey(UseCase[RevokeApiKeyCommand, ApiKey]):
    """Revoking twice changes nothing. Raises `ApiKeyNotFound`."""

    permission: ClassVar[Permission] = Permission.KEYS_MANAGE
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: RevokeApiKeyCommand) -> ApiKey:
        async with self.uow(actor) as unit:
            key = await unit.api_keys.get(command.key_id)
            revoked = key.revoked(at=self.clock.now())
            return key if revoked is key else await unit.api_keys.save(revoked)
