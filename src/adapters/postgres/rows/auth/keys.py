from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from tradingcore.auth.model.account import AccountStatus
from tradingcore.auth.model.api_key import ApiKey, KeyHolder
from tradingcore.kernel.authz import Actor, Assurance, Permission, Plan, Role, TraceId, UserId


def api_key_to_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "user_id": key.user.id,
        "name": key.name,
        "secret_hash": key.secret_hash,
        "scopes": None if key.scopes is None else sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "networks": list(key.networks),
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def api_key_from_row(row: Row[Any]) -> ApiKey:
    """``row`` carries columns of the holder's account beside those of the key, with the prefix ``user_``."""
    return ApiKey(
        version=row.version,
        id=row.id,
        user=KeyHolder(
            id=row.user_id,
            roles=frozenset(Role(role) for role in row.user_roles),
            plan=Plan(row.user_plan),
            is_active=row.user_status == AccountStatus.ACTIVE,
        ),
        name=row.name,
        secret_hash=bytes(row.secret_hash),
        scopes=None if row.scopes is None else frozenset(Permission(scope) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        networks=tuple(row.networks),
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def actor_to_json(actor: Actor) -> dict[str, Any]:
    """All but how long ago the actor signed in, and what belongs to one call only."""
    return {
        "trace_id": actor.trace_id,
        "user_id": None if actor.user_id is None else str(actor.user_id),
        "roles": sorted(actor.roles),
        "plan": actor.plan,
        "permissions": sorted(actor.permissions),
        "credential_id": None if actor.credential_id is None else str(actor.credential_id),
        "name": actor.name,
        "session_id": None if actor.session_id is None else str(actor.session_id),
        "assurance": int(actor.assurance),
        "restriction": actor.restriction,
        "valid_until": None if actor.valid_until is None else actor.valid_until.isoformat(),
    }


def actor_from_json(stored: Mapping[str, Any]) -> Actor:
    return Actor(
        trace_id=TraceId(stored["trace_id"]),
        user_id=None if stored["user_id"] is None else UserId(UUID(stored["user_id"])),
        roles=frozenset(Role(role) for role in stored["roles"]),
        plan=None if stored["plan"] is None else Plan(stored["plan"]),
        permissions=frozenset(Permission(permission) for permission in stored["permissions"]),
        credential_id=None if stored["credential_id"] is None else UUID(stored["credential_id"]),
        name=stored["name"],
        session_id=None if stored["session_id"] is None else UUID(stored["session_id"]),
        assurance=Assurance(stored["assurance"]),
        restriction=stored["restriction"],
        valid_until=None if stored["valid_until"] is None else datetime.fromisoformat(stored["valid_until"]),
    )
