from __future__ import annotations

from typing import Any, Final

from entrypoints.http.schemas import factors

_TOKEN: Final = "1.AVh3q0p1m2X8Zb4c"  # noqa: S105 - an example
_PASSKEY: Final = {
    "id": "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90",
    "label": "my phone",
    "is_synced": True,
    "created_at": "2026-03-02T12:00:00Z",
    "last_used_at": None,
}
_CREDENTIAL: Final = {"id": "pZ3f", "rawId": "pZ3f", "type": "public-key", "response": {"clientDataJSON": "eyJ0"}}

FACTOR_EXAMPLES: Final[dict[type, Any]] = {
    factors.FactorsBody: {
        "totp": {"since": "2026-03-02T12:00:00Z"},
        "passkeys": [_PASSKEY],
        "backup_codes": {"left": 10, "is_low": False},
        "is_required": False,
    },
    factors.TotpEnrolmentBody: {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "uri": "otpauth://totp/tradingcore:ana@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=tradingcore",
        "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 41 41"/>',
    },
    factors.TotpConfirmation: {"code": "287082"},
    factors.BackupCodesBody: {"codes": ["AFSJ-2MVT-Q7XC-KLWB-O5NE-RHZD", "PG4Y-UTIX-3KQA-ZV6L-MBWC-J2SF"]},
    factors.PasskeyCeremonyBody: {"token": _TOKEN, "options": {"challenge": "m6bm", "rpId": "app.example"}},
    factors.PasskeyOptionsBody: {"options": {"challenge": "m6bm", "rpId": "app.example"}},
    factors.NewPasskey: {"token": _TOKEN, "label": "my phone", "credential": _CREDENTIAL},
    factors.CreatedPasskeyBody: {"passkey": _PASSKEY, "backup_codes": []},
    factors.PasskeyName: {"label": "my new phone"},
    factors.PasskeySignIn: {"token": _TOKEN, "credential": _CREDENTIAL},
    factors.PasskeyChallenge: {"challenge": "u4vYkq1Zc0m3W7b9xT2eRrN8sLpD5hJfGaKiQoUyEwA"},
    factors.TrustedDeviceList: {
        "data": [
            {
                "id": "019cada6-4b00-7a3e-9d1c-5f0b2c7d8e90",
                "label": "Firefox on Linux",
                "created_at": "2026-03-02T12:00:00Z",
                "expires_at": "2026-04-01T12:00:00Z",
            }
        ]
    },
}
