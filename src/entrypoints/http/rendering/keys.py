from __future__ import annotations

from typing import Any

from entrypoints.http.schemas.keys import ApiKeyBody
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.processes.wire import rfc3339


def key_body(key: ApiKey) -> ApiKeyBody:
    return ApiKeyBody(**key_fields(key))


def key_fields(key: ApiKey) -> dict[str, Any]:
    """What every answer says about a key."""
    return {
        "id": str(key.id),
        "name": key.name,
        "scopes": None if key.scopes is None else sorted(key.scopes),
        "networks": list(key.networks),
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
        "last_used_at": None if key.last_used_at is None else rfc3339(key.last_used_at),
    }
