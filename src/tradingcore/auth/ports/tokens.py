from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from tradingcore.auth.model.access_token import AccessClaims


class AccessTokens(Protocol):
    """Signs and verifies access tokens. Neither does I/O that waits; whether the session still lives is another question."""

    __slots__ = ()

    @abstractmethod
    def issue(self, claims: AccessClaims) -> str:
        """Return the token; fractions of seconds are dropped."""

    @abstractmethod
    def verify(self, token: str, *, at: datetime) -> AccessClaims:
        """Return what it says. Raises `CredentialRefused` for anything but a token of ours that holds at ``at``."""
