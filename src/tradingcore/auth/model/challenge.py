"""A question that is open for a while: prove a factor that this account has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from tradingcore.auth.ids import ChallengeId
from tradingcore.auth.model.session import AuthMethod
from tradingcore.kernel.authz import UserId

CHALLENGE_LIFETIME: Final = timedelta(minutes=10)
MOST_ATTEMPTS: Final = 5


class ChallengePurpose(StrEnum):
    """What the answer will be good for, and nothing else."""

    SIGN_IN = "sign_in"
    STEP_UP = "step_up"


class FactorKind(StrEnum):
    TOTP = "totp"
    BACKUP_CODE = "backup_code"
    PASSKEY = "passkey"

    @property
    def method(self) -> AuthMethod:
        return _METHODS[self]


_METHODS: Final = {
    FactorKind.TOTP: AuthMethod.TOTP,
    FactorKind.BACKUP_CODE: AuthMethod.BACKUP_CODE,
    FactorKind.PASSKEY: AuthMethod.PASSKEY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Found by the hash of a token that only whoever was asked holds; attempts are counted before an answer is looked at.

    ``session_id`` binds it to the session that asked (step-up); a sign-in has no session yet and is bound by the token alone.
    ``methods`` is what was proven before the challenge was opened.
    """

    id: ChallengeId
    token_hash: bytes
    user_id: UserId
    purpose: ChallengePurpose
    factors: frozenset[FactorKind]
    session_id: UUID | None
    created_at: datetime
    expires_at: datetime
    methods: tuple[AuthMethod, ...] = ()
    attempts: int = 0
    closed_at: datetime | None = None

    def is_open_to(self, kind: FactorKind, *, at: datetime) -> bool:
        """Whether an answer of this kind may be looked at."""
        is_open = self.closed_at is None and self.attempts < MOST_ATTEMPTS and at < self.expires_at
        return is_open and kind in self.factors

    def is_for(self, purpose: ChallengePurpose, session_id: UUID | None) -> bool:
        return purpose is self.purpose and session_id == self.session_id
