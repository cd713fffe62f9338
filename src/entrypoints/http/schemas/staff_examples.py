from __future__ import annotations

from typing import Any, Final

from entrypoints.http.schemas import keys, staff

_USER: Final = "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90"
_PROPOSAL: Final = "019cada6-4b00-7b11-8c2d-3e4f5a6b7c88"
_AT: Final = "2026-03-02T12:00:00Z"
_PAGE: Final = {"next_cursor": None, "prev_cursor": None, "has_more": False}
_SUMMARY: Final = {
    "id": _USER,
    "kind": "person",
    "status": "active",
    "masked_email": "a…@example.org",
    "roles": ["trader"],
    "plan": "pro",
    "created_at": _AT,
}
_PROPOSED: Final = {
    "id": _PROPOSAL,
    "act": "auth.grant_role",
    "subject_id": _USER,
    "facts": {"role": "admin"},
    "reason": "joins the support desk",
    "proposed_by": "019cada6-4b00-7c01-b2c4-7a8d9e0f1a33",
    "proposed_at": _AT,
    "expires_at": "2026-03-05T12:00:00Z",
    "outcome": None,
}
_KEY: Final = {
    "id": "019cada6-4b00-7d22-9d1c-5f0b2c7d8e91",
    "name": "my laptop",
    "scopes": ["signals:read"],
    "networks": ["203.0.113.0/24"],
    "created_at": _AT,
    "expires_at": "2026-05-31T12:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
}

STAFF_EXAMPLES: Final[dict[type, Any]] = {
    staff.UserPage: {"data": [_SUMMARY], "page": _PAGE},
    staff.UserSummaryBody: {**_SUMMARY, "status": "frozen"},
    staff.UserBody: {
        "id": _USER,
        "kind": "person",
        "status": "active",
        "email": "ana@example.org",
        "is_verified": True,
        "roles": ["trader"],
        "plan": "pro",
        "created_at": _AT,
        "closed_at": None,
        "factors": ["totp"],
        "sessions": [{"id": _PROPOSAL, "device": "Firefox on Linux", "created_at": _AT, "last_seen_at": _AT}],
    },
    staff.EndedSessionsBody: {"ended": 2},
    staff.RoleRequest: {"action": "grant", "role": "admin", "reason": "joins the support desk"},
    staff.PlanRequest: {"plan": "pro"},
    staff.RightsBody: {"id": _USER, "roles": ["trader"], "plan": "pro", "proposal": _PROPOSAL},
    staff.ProposalList: {"data": [_PROPOSED]},
    staff.ProposalBody: {**_PROPOSED, "outcome": "approved"},
    staff.ProposalDecision: {"approve": True},
    keys.ApiKeyRequest: {"name": "my laptop", "days": 90, "scopes": ["signals:read"], "networks": ["203.0.113.0/24"]},
    keys.ApiKeyList: {"data": [_KEY]},
    keys.CreatedApiKeyBody: {
        **_KEY,
        "token": "tc_live_019cada64b007d229d1c5f0b2c7d8e91_Jv0cE2rM7kqXh3sYwPz8nL5tB1uD4fG6iA9oR0eT3yU1a2b3c4d",
    },
}
