"""API keys (``tc_<environment>_<id>_<secret><checksum>``): looked up by id, stored as the SHA-256 of a 256-bit secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final
from uuid import UUID

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.events import ApiKeyCreated, ApiKeyRevoked
from tradingcore.auth.ids import ApiKeyId
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import FieldError, InvalidInput

SECRET_BYTES: Final = 32
MOST_NETWORKS: Final = 20
DEFAULT_LIFETIME: Final = timedelta(days=90)
LONGEST_LIFETIME: Final = timedelta(days=365)
NEVER_BY_KEY: Final = frozenset(
    {
        Permission.ACCOUNT_OWN,
        Permission.KEYS_OWN,
        Permission.KEYS_MANAGE,
        Permission.USERS_MANAGE,
        Permission.ROLES_MANAGE,
        Permission.CONTENT_MANAGE,
        Permission.REFUNDS_MANAGE,
        Permission.WALLET_FREEZE,
        Permission.WITHDRAWALS_APPROVE,
        Permission.LEDGER_PROPOSE,
        Permission.LEDGER_APPROVE,
        Permission.AUDIT_READ,
        Permission.SYSTEM,
    }
)
"""What no key may do, whatever its holder's role: touch credentials, administer people and money, act as the platform."""

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
class KeyHolder:
    """The account that a key acts for, as it is now: what its role and plan lose, its keys lose with the next request."""

    id: UserId
    roles: frozenset[Role]
    plan: Plan
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Aggregate):
    """``networks`` are the addresses that the key works from, as CIDR blocks; none means all."""

    id: ApiKeyId
    user: KeyHolder
    name: str
    secret_hash: bytes
    scopes: frozenset[Permission] | None
    created_at: datetime
    expires_at: datetime
    networks: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    @classmethod
    def create(
        cls,
        *,
        id: ApiKeyId,  # noqa: A002 - the field's name
        user: KeyHolder,
        name: str,
        secret: bytes,
        scopes: frozenset[Permission] | None,
        at: datetime,
        lifetime: timedelta,
        networks: Sequence[str] = (),
    ) -> ApiKey:
        """Raises `InvalidInput` for a lifetime that is not positive or longer than a year, an empty name, and no CIDR block."""
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
            networks=_blocks(networks),
        ).announcing(ApiKeyCreated(occurred_at=at, user_id=user.id, key_id=id))

    def holds(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at and self.user.is_active

    def actor_for(
        self, presented: PresentedKey, *, at: datetime, trace_id: TraceId, address: IPv4Address | IPv6Address | None = None
    ) -> Actor:
        """Who the holder of the secret is now. Raises `CredentialRefused`; the comparison takes constant time.

        ``address`` is where the call comes from; a key that is bound to networks is refused when that is not known.
        """
        is_right = hmac.compare_digest(self.secret_hash, presented.secret_hash)
        if not is_right or not self.holds(at) or not self._works_from(address):
            raise CredentialRefused("the API key is not valid")
        return Actor.of_user(
            trace_id=trace_id,
            user_id=self.user.id,
            roles=self.user.roles,
            plan=self.user.plan,
            name=self.name,
            scopes=(frozenset(Permission) if self.scopes is None else self.scopes) - NEVER_BY_KEY,
            credential_id=self.id,
        )

    def _works_from(self, address: IPv4Address | IPv6Address | None) -> bool:
        if not self.networks:
            return True
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address is not None and any(address in ip_network(block) for block in self.networks)

    def revoked(self, *, at: datetime) -> ApiKey:
        """Revoking twice keeps the first time."""
        if self.revoked_at is not None:
            return self
        return replace(self, revoked_at=at).announcing(ApiKeyRevoked(occurred_at=at, user_id=self.user.id, key_id=self.id))


def _blocks(networks: Sequence[str]) -> tuple[str, ...]:
    if len(networks) > MOST_NETWORKS:
        raise InvalidInput(f"a key is bound to at most {MOST_NETWORKS} networks, were {len(networks)}")
    blocks = []
    for index, text in enumerate(networks):
        try:
            blocks.append(str(ip_network(text.strip())))
        except ValueError:
            sentence = f"a network is an address or a CIDR block such as 203.0.113.0/24, was {text[:64]!r}"
            raise InvalidInput(sentence, errors=(FieldError(f"/networks/{index}", "network", sentence),)) from None
    return tuple(dict.fromkeys(blocks))
