from __future__ import annotations

from typing import Any, Final

from entrypoints.http.schemas import sessions

_ID: Final = "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90"
_TOKEN: Final = "rU0nHq1Zc8Yw5vKx2mBt7dLs4fGj9aPe6oQi3kXhNzM"  # noqa: S105 - of nobody
_ACCESS: Final = {"access_token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIwMTljIn0.c2ln", "token_type": "Bearer"}
_SOON: Final = {"expires_at": "2026-03-02T12:15:00Z"}
_TOKENS: Final = {
    "session_id": _ID,
    **_ACCESS,
    **_SOON,
    "refresh_token": _TOKEN,
    "refresh_expires_at": "2026-03-09T12:00:00Z",
}
_CHALLENGE: Final = {"challenge": _TOKEN, "factors": ["backup_code", "totp"], "expires_at": "2026-03-02T12:10:00Z"}

SESSION_EXAMPLES: Final[dict[type, Any]] = {
    sessions.SignInRequest: {"email": "ana@example.org", "password": "three green parrots trade at noon"},
    sessions.ChallengeAnswer: {"challenge": _TOKEN, "factor": "totp", "proof": "287082"},
    sessions.SignInBody: {"status": "signed_in", "tokens": _TOKENS, "challenge": None, "trusted_device": None},
    sessions.RefreshRequest: {"refresh_token": _TOKEN},
    sessions.SignOutRequest: {"refresh_token": _TOKEN},
    sessions.TokensBody: _TOKENS,
    sessions.PasswordAgain: {"password": "three green parrots trade at noon"},
    sessions.FactorAgain: {"challenge": _TOKEN, "factor": "totp", "proof": "287082"},
    sessions.ChallengeBody: _CHALLENGE,
    sessions.AccessTokenBody: {**_ACCESS, **_SOON},
    sessions.SessionList: {
        "data": [
            {
                "id": _ID,
                "device": "Firefox on Linux",
                "created_at": "2026-03-02T12:00:00Z",
                "last_seen_at": "2026-03-02T12:00:00Z",
                "authenticated_at": "2026-03-02T12:00:00Z",
                "expires_at": "2026-03-09T12:00:00Z",
                "assurance": "aal2",
                "is_current": True,
            }
        ]
    },
}
