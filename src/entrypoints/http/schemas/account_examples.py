"""Examples of what is sent and answered about accounts."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from entrypoints.http.schemas import accounts

_TOKEN: Final = "p2mUo7ZrGzq8oXkJ0sYw1v3n5b7d9f1h3j5l7n9p1r3"  # noqa: S105 - of nobody
_SENTENCE: Final = "three green parrots trade at noon"

ACCOUNT_EXAMPLES: Final[dict[type[msgspec.Struct], Any]] = {
    accounts.Registration: {
        "email": "ana@example.org",
        "password": _SENTENCE,
        "display_name": "Ana Pérez",
        "locale": "es",
        "time_zone": "America/Mexico_City",
    },
    accounts.AddressRequest: {"email": "ana@example.org"},
    accounts.TokenRequest: {"token": _TOKEN},
    accounts.PasswordReset: {"token": _TOKEN, "password": _SENTENCE},
    accounts.PasswordChange: {"old_password": "the one of before", "new_password": _SENTENCE},
    accounts.ProfileChange: {"time_zone": "Europe/Madrid"},
    accounts.AcceptedBody: {"status": "accepted"},
    accounts.AccountBody: {
        "id": "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90",
        "status": "active",
        "email": "ana@example.org",
        "is_verified": True,
        "has_password": True,
        "roles": ["investor"],
        "plan": "free",
        "display_name": "Ana Pérez",
        "locale": "es",
        "time_zone": "America/Mexico_City",
        "avatar": None,
        "created_at": "2026-03-02T12:00:00Z",
        "password_changed_at": "2026-03-02T12:00:00Z",
        "restriction": None,
    },
    accounts.SecurityEventPage: {
        "data": [
            {
                "id": "019cada6-4b01-7d20-a1b2-c3d4e5f60718",
                "at": "2026-03-02T12:00:00Z",
                "type": "auth.password_changed",
                "by": "you",
                "facts": {"is_reset": False},
            }
        ],
        "page": {"next_cursor": None, "prev_cursor": None, "has_more": False},
    },
}
