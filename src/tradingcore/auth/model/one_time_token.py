"""Secrets that are mailed and work once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tradingcore.kernel.authz import UserId

TOKEN_BYTES: Final = 32


class TokenPurpose(StrEnum):
    VERIFY_ADDRESS = "verify_address"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
    CHANGE_ADDRESS = "change_address"
    UNDO_ADDRESS_CHANGE = "undo_address_change"
    PROVE_ACCOUNT = "prove_account"


LIFETIMES: Final = {
    TokenPurpose.VERIFY_ADDRESS: timedelta(hours=24),
    TokenPurpose.RESET_PASSWORD: timedelta(minutes=20),
    TokenPurpose.CHANGE_ADDRESS: timedelta(hours=24),
    TokenPurpose.UNDO_ADDRESS_CHANGE: timedelta(hours=72),
    TokenPurpose.PROVE_ACCOUNT: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeToken:
    """``bound_to`` is what the token is about besides its user, such as the new address; personal, so it is stored sealed."""

    token_hash: bytes
    purpose: TokenPurpose
    user_id: UserId
    issued_at: datetime
    expires_at: datetime
    bound_to: str = ""
