from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.ports.accounts import AccountRepository
from tradingcore.kernel.authz import Actor, UserId


class ApiKeyRepository(Protocol):
    """Keys, each with its holder as it is now. A row is visible to its own user, to whoever manages keys and to operators."""

    __slots__ = ()

    @abstractmethod
    async def get(self, key_id: ApiKeyId) -> ApiKey:
        """Raise `ApiKeyNotFound`, also for another user's key."""

    @abstractmethod
    async def list_all(self) -> Sequence[ApiKey]:
        """Return the keys that the actor may see, newest first."""

    @abstractmethod
    async def list_of(self, user_id: UserId) -> Sequence[ApiKey]:
        """Return those of one user that the actor may see, newest first."""

    @abstractmethod
    async def save(self, key: ApiKey) -> ApiKey:
        """Insert the key, whose holder has an account, or update it. Raises `StaleVersion`."""


class AuthUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def api_keys(self) -> ApiKeyRepository: ...

    @property
    @abstractmethod
    def accounts(self) -> AccountRepository: ...


class ApiKeyLookup(Protocol):
    """The read of the secret side, apart from ordinary reads: the only one that works for nobody in particular."""

    __slots__ = ()

    @abstractmethod
    async def find_for_authentication(self, key_id: ApiKeyId) -> ApiKey | None: ...


class TicketStore(Protocol):
    """Stream tickets: kept by hash, taken once."""

    __slots__ = ()

    @abstractmethod
    async def put(self, ticket_hash: bytes, actor: Actor, *, expires_at: datetime) -> None: ...

    @abstractmethod
    async def take(self, ticket_hash: bytes, *, at: datetime) -> Actor | None:
        """Return whom it was issued to and destroy it, in one statement: of concurrent takers one wins. ``None`` if expired."""
