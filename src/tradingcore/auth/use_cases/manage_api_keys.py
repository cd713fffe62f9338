from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from tradingcore.auth.errors import ApiKeyNotFound
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.api_key import DEFAULT_LIFETIME, NEVER_BY_KEY, SECRET_BYTES, ApiKey, KeyHolder, compose_token
from tradingcore.auth.ports.keys import AuthUnitOfWork
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, StepUp, UserId
from tradingcore.kernel.errors import FieldError, InvalidInput, RuleViolation
from tradingcore.kernel.ports import Clock, IdGenerator, SecretSource, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

MOST_OWN_KEYS = 20


def _refuse_useless(scopes: frozenset[Permission] | None) -> None:
    # It would be made, and then refused wherever it was shown.
    if useless := sorted(NEVER_BY_KEY & (scopes or frozenset())):
        sentence = f"no API key carries {', '.join(useless)}: sign in for that"
        raise InvalidInput(sentence, errors=(FieldError("/scopes", "never_by_key", sentence),))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedApiKey:
    """``token`` is shown once and stored nowhere."""

    key: ApiKey
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKeyCommand:
    """``scopes`` narrows the key below what role and plan give; ``None`` does not. ``networks`` are CIDR blocks."""

    name: str
    role: Role
    plan: Plan = Plan.PRO
    scopes: frozenset[Permission] | None = None
    lifetime: timedelta = DEFAULT_LIFETIME
    networks: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey(UseCase[CreateApiKeyCommand, CreatedApiKey]):
    """Make a service account and its key. Raises `InvalidInput`."""

    permission: ClassVar[Permission] = Permission.SYSTEM
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource
    environment: str

    async def handle(self, actor: Actor, command: CreateApiKeyCommand) -> CreatedApiKey:
        now, secret = self.clock.now(), self.secrets.token(SECRET_BYTES)
        account = UserAccount.service(
            id=UserId(self.ids.new_id()), name=command.name.strip(), roles=frozenset({command.role}), plan=command.plan, at=now
        )
        key = ApiKey.create(
            id=ApiKeyId(self.ids.new_id()),
            user=KeyHolder(id=account.id, roles=account.roles, plan=account.plan),
            name=command.name,
            secret=secret,
            scopes=command.scopes,
            at=now,
            lifetime=command.lifetime,
            networks=command.networks,
        )
        async with self.uow(actor) as unit:
            await unit.accounts.save(account)
            saved = await unit.api_keys.save(key)
        return CreatedApiKey(key=saved, token=compose_token(self.environment, key.id, secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOwnApiKeyCommand:
    """As for `CreateApiKeyCommand`; the key acts for the caller, with the caller's role and plan as they are at each use."""

    name: str
    scopes: frozenset[Permission] | None = None
    lifetime: timedelta = DEFAULT_LIFETIME
    networks: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOwnApiKey(UseCase[CreateOwnApiKeyCommand, CreatedApiKey]):
    """Make a key for the own account. Raises `InvalidInput`, `StepUpRequired`, and `RuleViolation` beyond 20 living keys."""

    permission: ClassVar[Permission] = Permission.KEYS_OWN
    step_up: ClassVar[StepUp | None] = StepUp()
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock
    ids: IdGenerator
    secrets: SecretSource
    environment: str

    async def handle(self, actor: Actor, command: CreateOwnApiKeyCommand) -> CreatedApiKey:
        if actor.user_id is None or actor.plan is None:
            raise RuleViolation("only an account has keys of its own")
        _refuse_useless(command.scopes)
        now, secret = self.clock.now(), self.secrets.token(SECRET_BYTES)
        key = ApiKey.create(
            id=ApiKeyId(self.ids.new_id()),
            user=KeyHolder(id=actor.user_id, roles=actor.roles, plan=actor.plan),
            name=command.name,
            secret=secret,
            scopes=command.scopes,
            at=now,
            lifetime=command.lifetime,
            networks=command.networks,
        )
        async with self.uow(actor) as unit:
            own = [known for known in await unit.api_keys.list_of(actor.user_id) if known.holds(now)]
            if len(own) >= MOST_OWN_KEYS:
                raise RuleViolation(f"an account has at most {MOST_OWN_KEYS} living API keys: revoke one first")
            saved = await unit.api_keys.save(key)
        return CreatedApiKey(key=saved, token=compose_token(self.environment, key.id, secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeysCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListApiKeys(UseCase[ListApiKeysCommand, Sequence[ApiKey]]):
    """Return every key, newest first."""

    permission: ClassVar[Permission] = Permission.KEYS_MANAGE
    uow: UnitOfWorkFactory[AuthUnitOfWork]

    async def handle(self, actor: Actor, command: ListApiKeysCommand) -> Sequence[ApiKey]:
        async with self.uow(actor) as unit:
            return await unit.api_keys.list_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOwnApiKeysCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOwnApiKeys(UseCase[ListOwnApiKeysCommand, Sequence[ApiKey]]):
    """Return the caller's own keys, newest first."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AuthUnitOfWork]

    async def handle(self, actor: Actor, command: ListOwnApiKeysCommand) -> Sequence[ApiKey]:
        if actor.user_id is None:
            return ()
        async with self.uow(actor) as unit:
            return await unit.api_keys.list_of(actor.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKeyCommand:
    key_id: ApiKeyId


async def _revoke(unit: AuthUnitOfWork, key: ApiKey, clock: Clock) -> ApiKey:
    revoked = key.revoked(at=clock.now())
    return key if revoked is key else await unit.api_keys.save(revoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey(UseCase[RevokeApiKeyCommand, ApiKey]):
    """End anybody's key. Revoking twice changes nothing. Raises `ApiKeyNotFound`."""

    permission: ClassVar[Permission] = Permission.KEYS_MANAGE
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: RevokeApiKeyCommand) -> ApiKey:
        async with self.uow(actor) as unit:
            return await _revoke(unit, await unit.api_keys.get(command.key_id), self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeOwnApiKey(UseCase[RevokeApiKeyCommand, ApiKey]):
    """End an own key; no recent sign-in is asked for what only makes things safer. Raises `ApiKeyNotFound`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AuthUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: RevokeApiKeyCommand) -> ApiKey:
        async with self.uow(actor) as unit:
            key = await unit.api_keys.get(command.key_id)
            if key.user.id != actor.user_id:
                raise ApiKeyNotFound(f"there is no API key {command.key_id}")
            return await _revoke(unit, key, self.clock)
