"""Sessions and their refresh tokens. The session is the truth; tokens are views of it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tradingcore.auth.ids import SessionId
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import Assurance, UserId

ACCESS_LIFETIME: Final = timedelta(minutes=15)
REFRESH_LIFETIME: Final = timedelta(days=7)
LONGEST_SESSION: Final = timedelta(days=30)
LONGEST_STAFF_SESSION: Final = timedelta(hours=12)
REFRESH_GRACE: Final = timedelta(seconds=10)
MOST_SESSIONS: Final = 10
REFRESH_BYTES: Final = 32


class AuthMethod(StrEnum):
    """How somebody proved to be the owner (the ``amr`` of RFC 8176 where it has a word for it)."""

    PASSWORD = "pwd"  # noqa: S105 - a method, not a password
    PROVIDER = "fed"
    TOTP = "otp"
    BACKUP_CODE = "rcv"
    PASSKEY = "hwk"
    TRUSTED_DEVICE = "dev"


class EndReason(StrEnum):
    SIGNED_OUT = "signed_out"
    SIGNED_OUT_ELSEWHERE = "signed_out_elsewhere"
    REFRESH_REUSE = "refresh_reuse"
    TOO_MANY_SESSIONS = "too_many_sessions"
    CREDENTIAL_CHANGED = "credential_changed"
    ACCOUNT_CHANGED = "account_changed"
    REVOKED_BY_STAFF = "revoked_by_staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Aggregate):
    """``expires_at`` slides with every refresh and never passes ``absolute_at``.

    ``network`` is a keyed hash of the prefix, ``device_label`` the name of the device, from which it was opened or last refreshed.
    """

    id: SessionId
    user_id: UserId
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    absolute_at: datetime
    authenticated_at: datetime
    methods: tuple[AuthMethod, ...]
    assurance: Assurance
    device_label: str
    network: bytes
    ended_at: datetime | None = None
    end_reason: EndReason | None = None

    @classmethod
    def open(
        cls,
        *,
        id: SessionId,  # noqa: A002 - the field's name
        user_id: UserId,
        methods: tuple[AuthMethod, ...],
        assurance: Assurance,
        device_label: str,
        network: bytes,
        longest: timedelta,
        at: datetime,
    ) -> Session:
        """Begin one that lasts ``longest`` at most, however often it is refreshed."""
        return cls(
            id=id,
            user_id=user_id,
            created_at=at,
            last_seen_at=at,
            expires_at=at + min(REFRESH_LIFETIME, longest),
            absolute_at=at + longest,
            authenticated_at=at,
            methods=methods,
            assurance=assurance,
            device_label=device_label,
            network=network,
        )

    def slid(self, *, network: bytes, device_label: str, at: datetime) -> Session:
        """What a refresh makes of it."""
        expires_at = min(at + REFRESH_LIFETIME, self.absolute_at)
        return replace(self, last_seen_at=at, expires_at=expires_at, network=network, device_label=device_label)

    def renewed(self, *, methods: tuple[AuthMethod, ...], assurance: Assurance, at: datetime) -> Session:
        """Its owner has just proven again to be the owner; what was proven before is not lost."""
        shown = tuple(dict.fromkeys((*self.methods, *methods)))
        return replace(self, methods=shown, assurance=max(self.assurance, assurance), authenticated_at=at, last_seen_at=at)

    def is_live(self, at: datetime) -> bool:
        return self.ended_at is None and at < self.expires_at

    def ended(self, reason: EndReason, *, at: datetime) -> Session:
        """Ending twice keeps the first time and reason."""
        return self if self.ended_at is not None else replace(self, ended_at=at, end_reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token as it is stored: by hash. At most one of a session is live, which the database holds too."""

    token_hash: bytes
    session_id: SessionId
    user_id: UserId
    issued_at: datetime
    expires_at: datetime


def longest_session(*, is_staff: bool) -> timedelta:
    """How long a session may last, refreshed or not."""
    return LONGEST_STAFF_SESSION if is_staff else LONGEST_SESSION


def hash_of_token(token: bytes) -> bytes:
    """What is stored of a secret of 128 random bits or more: nobody can guess its preimage, so no salt and no work factor."""
    return hashlib.sha256(token).digest()


def seal_successor(used: bytes, successor: bytes) -> bytes:
    """Encrypt the 32 bytes of a successor under the token that it follows, for the grace of a repeated refresh; its own inverse.

    A one-time pad of HMAC-SHA-256 under the used token, which is random, is used for this once and is stored nowhere.
    """
    pad = hmac.digest(used, b"tradingcore refresh successor", "sha256")
    return bytes(left ^ right for left, right in zip(pad, successor, strict=True))
