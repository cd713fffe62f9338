"""Who calls, and what they may do: permissions are a set built from role, plan and token, never a ladder.

A call is allowed when its permission is in ``role permissions & plan scopes & token scopes``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NewType
from uuid import UUID

from tradingcore.kernel.errors import PermissionDenied, StepUpRequired, Unauthenticated
from tradingcore.kernel.permissions import PLAN_SCOPES, ROLE_PERMISSIONS, Permission, Plan, Role, granted_to

__all__ = [
    "PLAN_SCOPES",
    "ROLE_PERMISSIONS",
    "Actor",
    "Assurance",
    "Cause",
    "EventId",
    "Permission",
    "Plan",
    "Role",
    "StepUp",
    "TraceId",
    "UserId",
    "authorize",
]

UserId = NewType("UserId", UUID)
EventId = NewType("EventId", UUID)
TraceId = NewType("TraceId", str)


_EVERYTHING = frozenset(Permission) - {Permission.PUBLIC}


class Assurance(IntEnum):
    """How surely a caller is who it says (the levels of NIST 800-63B): by one factor, or by two."""

    NONE = 0
    AAL1 = 1
    AAL2 = 2


@dataclass(frozen=True, slots=True)
class Cause:
    """The outbox event that made a handler call a use case; the unit of work records it once per handler."""

    handler: str
    event_id: EventId


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who acts in the rows of somebody else."""

    user_id: UserId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who calls a use case. Facts about the caller travel here and nowhere else.

    ``permissions`` is computed once, when the entry point has authenticated; ``trace_id`` follows the call through every event
    that it causes; ``cause`` is set by the outbox relay only. ``credential_id`` is the API key or the session. ``assurance`` and
    ``authentication_age`` are those of a session, as of the beginning of the call; ``restriction`` says why an account in its
    present state holds less than its roles give; ``valid_until`` is when the credential runs out. What ``is_reading`` does can
    change nothing: its units of work refuse to write.
    """

    trace_id: TraceId
    user_id: UserId | None = None
    roles: frozenset[Role] = frozenset()
    plan: Plan | None = None
    permissions: frozenset[Permission] = frozenset()
    credential_id: UUID | None = None
    name: str = "anonymous"
    cause: Cause | None = None
    session_id: UUID | None = None
    assurance: Assurance = Assurance.NONE
    authentication_age: timedelta | None = None
    restriction: str | None = None
    valid_until: datetime | None = None
    is_reading: bool = False
    stand_in: StandIn | None = None

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
        granted = granted_to(roles, plan)
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

    def acting_for(self, user_id: UserId) -> Actor:
        """The same caller, whose unit of work reaches the rows of ``user_id``: for one who has just proven to be its owner.

        Gives no permission. The audit trail keeps who really acts.
        """
        return replace(self, user_id=user_id, stand_in=StandIn(self.acting_user_id))

    @property
    def acting_user_id(self) -> UserId | None:
        """Who really acts, which is nobody for one who has not signed in yet."""
        return self.user_id if self.stand_in is None else self.stand_in.user_id

    @property
    def is_platform(self) -> bool:
        """An operator at the command line, or the platform itself."""
        return Permission.SYSTEM in self.permissions

    @classmethod
    def operator(cls, trace_id: TraceId) -> Actor:
        """A command line with access to the storage itself."""
        return cls(trace_id=trace_id, permissions=_EVERYTHING, name="operator")

    @classmethod
    def system(cls, trace_id: TraceId, *, name: str = "system", cause: Cause | None = None) -> Actor:
        """The platform acting on its own behalf: feeds, relays and schedules."""
        return cls(trace_id=trace_id, permissions=_EVERYTHING, name=name, cause=cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUp:
    """How recently, and how surely, a caller must have signed in for a sensitive call (RFC 9470)."""

    max_age: timedelta = timedelta(minutes=5)
    assurance: Assurance = Assurance.AAL1


def authorize(actor: Actor, permission: Permission, step_up: StepUp | None = None) -> None:
    """Raise unless ``actor`` holds ``permission``: `Unauthenticated` for nobody, `PermissionDenied` for somebody.

    Raises `StepUpRequired` for a session that is older or less sure than ``step_up`` asks. An operator has no session and no
    need of one; an API key has none either and is refused.
    """
    if permission is not Permission.PUBLIC and permission not in actor.permissions:
        if actor.is_anonymous:
            raise Unauthenticated("this needs a credential: send an access token or an API key as a bearer token")
        why = _why_lacking(actor, permission)
        raise PermissionDenied(f"this needs the permission {permission.value}, which {why}")
    if step_up is None or actor.is_platform:
        return
    if actor.session_id is None:
        raise PermissionDenied("this needs a person who has signed in, an API key is not enough")
    age = actor.authentication_age
    if age is None or age > step_up.max_age or actor.assurance < step_up.assurance:
        raise StepUpRequired(
            "this needs a recent sign-in: prove again who you are, then repeat the call",
            max_age_seconds=int(step_up.max_age.total_seconds()),
            assurance=f"aal{max(1, step_up.assurance)}",
        )


def _why_lacking(actor: Actor, permission: Permission) -> str:
    if actor.restriction is not None:
        return f"you do not have yet: {actor.restriction}"
    if actor.plan is None or actor.user_id is None:
        return f"{actor.name} does not have"
    if permission in granted_to(actor.roles, actor.plan):
        return "this key or token does not carry"
    if not actor.roles:
        return "you do not have without a role"
    return f"you do not have as {' and '.join(sorted(actor.roles))} on the plan {actor.plan.value}"
