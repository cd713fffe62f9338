"""Who calls, and what they may do: permissions are a set built from role, plan and token, never a ladder.

A call is allowed when its permission is in ``role permissions & plan scopes & token scopes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from tradingcore.kernel.errors import PermissionDenied, Unauthenticated

UserId = NewType("UserId", UUID)
EventId = NewType("EventId", UUID)
TraceId = NewType("TraceId", str)


class Permission(StrEnum):
    """What a use case asks for. ``PUBLIC`` is granted to everybody, signed in or not."""

    PUBLIC = "public"
    MARKET_READ = "market:read"
    MARKET_MANAGE = "market:manage"
    SIGNALS_READ = "signals:read"
    SIGNALS_REALTIME = "signals:realtime"
    MODELS_READ = "models:read"
    MODELS_MANAGE = "models:manage"
    FORECASTS_CREATE = "forecasts:create"
    KEYS_MANAGE = "keys:manage"
    SYSTEM = "system"


class Role(StrEnum):
    STUDENT = "student"
    INVESTOR = "investor"
    TRADER = "trader"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class Plan(StrEnum):
    FREE = "free"
    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"


_READER = frozenset({Permission.MARKET_READ, Permission.SIGNALS_READ, Permission.SIGNALS_REALTIME})
_EVERYTHING = frozenset(Permission) - {Permission.PUBLIC}

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.STUDENT: frozenset(),
    Role.INVESTOR: _READER,
    Role.TRADER: _READER | {Permission.MODELS_READ, Permission.FORECASTS_CREATE},
    Role.ADMIN: _READER | {Permission.MARKET_MANAGE, Permission.MODELS_READ, Permission.MODELS_MANAGE},
    Role.SUPERADMIN: _EVERYTHING - {Permission.SYSTEM},
}

_FREE_PLAN = frozenset({Permission.MARKET_READ, Permission.MARKET_MANAGE, Permission.MODELS_MANAGE, Permission.KEYS_MANAGE})
_BASIC_PLAN = _FREE_PLAN | {Permission.SIGNALS_READ, Permission.MODELS_READ}

PLAN_SCOPES: Final[dict[Plan, frozenset[Permission]]] = {
    Plan.FREE: _FREE_PLAN,
    Plan.BASIC: _BASIC_PLAN,
    Plan.PRO: _EVERYTHING,
    Plan.ENTERPRISE: _EVERYTHING,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """The outbox event that made a handler call a use case; the unit of work records it once per handler."""

    handler: str
    event_id: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who calls a use case. Facts about the caller travel here and nowhere else.

    ``permissions`` is computed once, when the entry point has authenticated; ``trace_id`` follows the call through every event
    that it causes; ``cause`` is set by the outbox relay only.
    """

    trace_id: TraceId
    user_id: UserId | None = None
    roles: frozenset[Role] = frozenset()
    plan: Plan | None = None
    permissions: frozenset[Permission] = frozenset()
    credential_id: UUID | None = None
    name: str = "anonymous"
    cause: Cause | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and not self.permissions

    @classmethod
    def anonymous(cls, trace_id: TraceId) -> Actor:
        """Nobody: what a request without a credential is."""
        return cls(trace_id=trace_id)

    @classmethod
    def of_user(
        cls,
        *,
        trace_id: TraceId,
        user_id: UserId,
        roles: frozenset[Role],
        plan: Plan,
        name: str,
        scopes: frozenset[Permission] | None = None,
        credential_id: UUID | None = None,
    ) -> Actor:
        """A person or a service account; ``scopes`` narrows what its token may do, ``None`` does not."""
        granted = frozenset[Permission]().union(*(ROLE_PERMISSIONS[role] for role in roles)) & PLAN_SCOPES[plan]
        if scopes is not None:
            granted &= scopes
        return cls(
            trace_id=trace_id,
            user_id=user_id,
            roles=roles,
            plan=plan,
            permissions=granted,
            credential_id=credential_id,
            name=name,
        )

    @classmethod
    def operator(cls, trace_id: TraceId) -> Actor:
        """A command line with access to the storage itself."""
        return cls(trace_id=trace_id, permissions=_EVERYTHING, name="operator")

    @classmethod
    def system(cls, trace_id: TraceId, *, name: str = "system", cause: Cause | None = None) -> Actor:
        """The platform acting on its own behalf: feeds, relays and schedules."""
        return cls(trace_id=trace_id, permissions=_EVERYTHING, name=name, cause=cause)


def authorize(actor: Actor, permission: Permission) -> None:
    """Raise unless ``actor`` holds ``permission``: `Unauthenticated` for nobody, `PermissionDenied` for somebody."""
    if permission is Permission.PUBLIC or permission in actor.permissions:
        return
    if actor.is_anonymous:
        raise Unauthenticated("this needs a credential: send an API key as a bearer token")
    raise PermissionDenied(f"this needs the permission {permission.value}, which {actor.name} does not have")
