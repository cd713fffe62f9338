"""The tokens of a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.opaque_token import opaque_token
from tradingcore.auth.model.session import ACCESS_LIFETIME, REFRESH_BYTES, RefreshToken, Session, hash_of_token
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.kernel.ports import IdGenerator, SecretSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """``refresh_token`` is shown once, and stored nowhere as it is."""

    access: AccessToken
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Makes tokens for a session that is proven. Not a use case: it asks nobody for anything."""

    access_tokens: AccessTokens
    ids: IdGenerator
    secrets: SecretSource

    def new_secret(self) -> bytes:
        """Of a refresh token."""
        return self.secrets.token(REFRESH_BYTES)

    def access(self, session: Session, account: UserAccount, *, at: datetime) -> AccessToken:
        """A view of the session and of the rights that its owner has now; it never outlives the session."""
        issued_at = at.replace(microsecond=0)
        claims = AccessClaims(
            session_id=session.id,
            user_id=session.user_id,
            token_id=self.ids.new_id(),
            issued_at=issued_at,
            expires_at=min(issued_at + ACCESS_LIFETIME, session.expires_at),
            authenticated_at=session.authenticated_at,
            methods=session.methods,
            assurance=session.assurance,
            rights_version=account.rights_version,
        )
        return AccessToken(text=self.access_tokens.issue(claims), expires_at=claims.expires_at)

    def pair(self, session: Session, account: UserAccount, secret: bytes, *, at: datetime) -> TokenPair:
        """``secret`` is that of the session's live refresh token."""
        return TokenPair(
            access=self.access(session, account, at=at),
            refresh_token=opaque_token(secret),
            refresh_expires_at=session.expires_at,
        )


def refresh_token_of(session: Session, secret: bytes, *, at: datetime, expires_at: datetime) -> RefreshToken:
    """As it is stored."""
    return RefreshToken(
        token_hash=hash_of_token(secret), session_id=session.id, user_id=session.user_id, issued_at=at, expires_at=expires_at
    )
