from __future__ import annotations

from typing import Any, Final

from entrypoints.http.schemas import factors

FACTOR_EXAMPLES: Final[dict[type, Any]] = {
    factors.FactorsBody: {
        "totp": {"since": "2026-03-02T12:00:00Z"},
        "backup_codes": {"left": 10, "is_low": False},
        "is_required": False,
    },
    factors.TotpEnrolmentBody: {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "uri": "otpauth://totp/tradingcore:ana@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=tradingcore",
        "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 41 41"/>',
    },
    factors.TotpConfirmation: {"code": "287082"},
    factors.BackupCodesBody: {"codes": ["AFSJ-2MVT-Q7XC-KLWB-O5NE-RHZD", "PG4Y-UTIX-3KQA-ZV6L-MBWC-J2SF"]},
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
