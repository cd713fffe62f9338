"""Passkeys (WebAuthn): a key pair of which only the public half is stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradingcore.auth.ids import PasskeyId
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import FieldError, InvalidInput

CEREMONY_LIFETIME: Final = timedelta(minutes=5)
MOST_PASSKEYS: Final = 10
LONGEST_LABEL: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """``public_key`` is a COSE key; ``sign_count`` is 0 for ever on authenticators that do not count.

    ``is_synced``: its maker keeps copies on several devices of the owner.
    """

    id: PasskeyId
    user_id: UserId
    credential_id: bytes
    public_key: bytes
    sign_count: int
    label: str
    transports: tuple[str, ...]
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None = None


def counts_up(stored: int, presented: int) -> bool:
    """Whether a counter may follow another (WebAuthn 7.2, step 22): it grows, unless the authenticator does not count at all."""
    return presented > stored or presented == stored == 0


def passkey_challenge(token: str) -> bytes:
    """What an authenticator signs for the holder of ``token``: never the token itself, which the browser shows to scripts."""
    return hashlib.sha256(b"tradingcore passkey:" + token.encode()).digest()


def passkey_label(text: str) -> str:
    """Raises `InvalidInput` for a name that cannot be read in a list."""
    label = text.strip()
    if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
        detail = f"a passkey has a name of 1 to {LONGEST_LABEL} printable characters"
        raise InvalidInput(detail, errors=(FieldError("/label", "invalid", detail),))
    return label
