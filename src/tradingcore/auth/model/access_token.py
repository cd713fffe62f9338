"""What an access token says. It is a view of a session: short-lived, and worthless once the session or the rights changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.session import ACCESS_LIFETIME, AuthMethod
from tradingcore.kernel.authz import Assurance, Permission, UserId
from tradingcore.kernel.errors import InvalidInput

LEEWAY: Final = timedelta(seconds=30)
"""How far clocks of machines may differ."""

LONGEST_TOKEN: Final = 4096
"""In bytes: what is longer is refused before anything looks into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """Instants are whole seconds. ``scopes`` narrow the token, ``None`` does not; ``rights_version`` is that of the account."""

    session_id: SessionId
    user_id: UserId
    token_id: UUID
    issued_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    methods: tuple[AuthMethod, ...]
    assurance: Assurance
    rights_version: int
    scopes: frozenset[Permission] | None = None

    def __post_init__(self) -> None:
        lifetime = self.expires_at - self.issued_at
        if not timedelta(0) < lifetime <= ACCESS_LIFETIME:
            raise InvalidInput(f"an access token lives up to {ACCESS_LIFETIME.seconds} s, was {lifetime.total_seconds():g} s")
        if self.assurance is Assurance.NONE or not self.methods:
            raise InvalidInput("an access token names at least one method and its assurance")

    def is_valid_at(self, at: datetime) -> bool:
        return self.issued_at - LEEWAY <= at < self.expires_at + LEEWAY
