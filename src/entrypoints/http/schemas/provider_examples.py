from __future__ import annotations

from typing import Any, Final

from entrypoints.http.schemas import providers

_TICKET: Final = "1mJ4Yb0q8s3kZ2vX7wT5nR9pL6hG1fD4cB8aE0uI3oM"
_IDENTITY: Final = {
    "id": "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e91",
    "provider": "google",
    "email": "ana@example.org",
    "name": "Ana Pérez",
    "linked_at": "2026-03-02T12:00:00Z",
}

PROVIDER_EXAMPLES: Final[dict[type, Any]] = {
    providers.ProviderList: {
        "data": [
            {"name": "google", "title": "Google", "can_step_up": False},
            {"name": "github", "title": "GitHub", "can_step_up": False},
        ]
    },
    providers.ProviderBeginning: {"purpose": "sign_in", "next": "/"},
    providers.BegunBody: {
        "authorization_url": "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=1234&code_challenge_method=S256",
        "expires_at": "2026-03-02T12:10:00Z",
    },
    providers.ProviderCompletion: {"handle": "1.AXn3c2VhbGVk", "delivery": "cookie", "locale": "es"},
    providers.CompletionBody: {
        "status": "proof_required",
        "next": "/",
        "tokens": None,
        "challenge": None,
        "proof": {"ticket": _TICKET, "provider": "google", "expires_at": "2026-03-02T12:10:00Z"},
        "identity": None,
        "access": None,
    },
    providers.IdentityBody: _IDENTITY,
    providers.IdentityList: {"data": [_IDENTITY]},
    providers.LinkTicket: {"ticket": _TICKET},
    providers.DeletionStatusBody: {"provider": "facebook", "status": "deleted", "deleted_at": "2026-03-02T12:00:00Z"},
}
