"""Devices that showed a second factor and are not asked for it again for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradingcore.auth.ids import TrustedDeviceId
from tradingcore.kernel.authz import UserId

TRUST_LIFETIME: Final = timedelta(days=30)
LONGEST_LABEL: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedDevice:
    """Known by the hash of a token that only the device holds."""

    id: TrustedDeviceId
    token_hash: bytes
    user_id: UserId
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_trusted(self, *, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at


def device_label(text: str) -> str:
    """What the owner reads in the list: ``text``, usually a browser's name of itself, without what does not print, and cut."""
    readable = "".join(letter for letter in text[: 4 * LONGEST_LABEL] if letter.isprintable()).strip()[:LONGEST_LABEL]
    return readable or "unnamed device"
