"""API keys (``tc_<environment>_<id>_<secret><checksum>``): looked up by id, stored as the SHA-256 of a 256-bit secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import ApiKeyId
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import InvalidInput

SECRET_BYTES: Final = 32
DEFAULT_LIFETIME: Final = timedelta(days=90)
LONGEST_LIFETIME: Final = timedelta(days=365)
NEVER_BY_KEY: Final = frozenset(
    {
        Permission.ACCOUNT_OWN,
        Permission.KEYS_OWN,
        Permission.KEYS_MANAGE,
        Permission.USERS_MANAGE,
        Permission.ROLES_MANAGE,
        Permission.SYSTEM,
    }
)
"""What no key may do, whatever its user's role: make or revoke credentials, act as the platform."""

_TOKEN: Final = re.compile(r"tc_([a-z]{1,12})_([0-9a-f]{32})_([A-Za-z0-9\-_]{43})([0-9a-f]{8})")
_LONGEST_TOKEN: Final = 128


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a client sent it, syntax and checksum verified."""

    id: ApiKeyId
    secret: bytes

    @property
    def secret_hash(self) -> bytes:
        return hashlib.sha256(self.secret).digest()


def compose_token(environment: str, key_id: ApiKeyId, secret: bytes) -> str:
    """The text that is shown once. The CRC-32 tail lets scanners and typing errors be told apart from real keys."""
    body = f"tc_{environment}_{key_id.hex}_{_letters(secret)}"
    return f"{body}{zlib.crc32(body.encode()):08x}"


def parse_token(token: str) -> PresentedKey:
    """Raises `CredentialRefused` for anything that is not a key of ours."""
    match = _TOKEN.fullmatch(token) if len(token) <= _LONGEST_TOKEN else None
    if match is None or f"{zlib.crc32(token[:-8].encode()):08x}" != match.group(4):
        raise CredentialRefused("the API key is not valid")
    secret = base64.urlsafe_b64decode(match.group(3) + "=")
    # 43 letters hold two bits more than 32 bytes: each key has one spelling, the one with those at zero.
    if _letters(secret) != match.group(3):
        raise CredentialRefused("the API key is not valid")
    return PresentedKey(ApiKeyId(UUID(match.group(2))), secret)


def _letters(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUser:
    """The account that keys act for: no password, no mailbox."""

    id: UserId
    name: str
    roles: frozenset[Role]
    plan: Plan
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Aggregate):
    id: ApiKeyId
    user: ServiceUser
    name: str
    secret_hash: bytes
    scopes: frozenset[Permission] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    @classmethod
    def create(
        cls,
        *,
        id: ApiKeyId,  # noqa: A002 - the field's name
        user: ServiceUser,
        name: str,
        secret: bytes,
        scopes: frozenset[Permission] | None,
        at: datetime,
        lifetime: timedelta,
    ) -> ApiKey:
        """Raises `InvalidInput` for a lifetime that is not positive or longer than a year, and for an empty name."""
        if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
            raise InvalidInput(f"a key lives from 1 to {LONGEST_LIFETIME.days} days, was {lifetime.days}")
        if not 1 <= len(name.strip()) <= 80 or not name.isprintable():
            raise InvalidInput("a key needs a name of 1 to 80 printable characters")
        return cls(
            id=id,
            user=user,
            name=name.strip(),
            secret_hash=hashlib.sha256(secret).digest(),
            scopes=scopes,
            created_at=at,
            expires_at=at + lifetime,
        )

    def actor_for(self, presented: PresentedKey, *, at: datetime, trace_id: TraceId) -> Actor:
        """Who the holder of the secret is now. Raises `CredentialRefused`; the comparison takes constant time."""
        is_right = hmac.compare_digest(self.secret_hash, presented.secret_hash)
        if not is_right or self.revoked_at is not None or at >= self.expires_at:
            raise CredentialRefused("the API key is not valid")
        return Actor.of_user(
            trace_id=trace_id,
            user_id=self.user.id,
            roles=self.user.roles,
            plan=self.user.plan,
            name=self.user.name,
            scopes=(frozenset(Permission) if self.scopes is None else self.scopes) - NEVER_BY_KEY,
            credential_id=self.id,
        )

    def revoked(self, *, at: datetime) -> ApiKey:
        """Revoking twice keeps the first time."""
        return self if self.revoked_at is not None else replace(self, revoked_at=at)
