"""Read side of the context."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tradingcore.auth.model.account import AccountKind, AccountStatus, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.kernel.authz import Actor, EventId, Role, UserId
from tradingcore.kernel.page import Page, PageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act, as the audit trail has it. ``facts`` are those of its event."""

    id: EventId
    at: datetime
    type: str
    user_id: UserId | None
    actor_id: UserId | None
    actor_name: str
    facts: Mapping[str, Any]


class AuditTrail(Protocol):
    """What was audited. People see what concerns their own account; whoever may read the trail sees all of it."""

    __slots__ = ()

    @abstractmethod
    async def list_about(self, actor: Actor, user_id: UserId, page: PageRequest) -> Page[AuditEntry]:
        """Return what concerns ``user_id`` and ``actor`` may see, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """``email`` finds by the whole address, because what is stored is sealed."""

    email: EmailAddress | None = None
    status: AccountStatus | None = None
    role: Role | None = None
    kind: AccountKind | None = None


class UserDirectory(Protocol):
    """Accounts for those who manage them; everybody else finds none but the own. Newest first, by (created_at, id)."""

    __slots__ = ()

    @abstractmethod
    async def search(self, actor: Actor, where: UserFilter, page: PageRequest) -> Page[UserAccount]: ...
