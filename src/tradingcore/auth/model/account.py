"""The account of a person: who may sign in, and as what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.password import PasswordHash
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import Plan, Role, UserId

FIRST_ROLE: Final = Role.INVESTOR
STAFF: Final = frozenset({Role.ADMIN, Role.SUPERADMIN})


class AccountStatus(StrEnum):
    """``unverified``: nobody has proven the address yet. ``frozen``: suspended by an administrator."""

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Avatar:
    """Where the picture is and what it is; the picture itself lies in the blob store."""

    blob_key: str
    media_type: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """``locale`` is a language that mail is written in, ``time_zone`` an IANA name."""

    display_name: str = ""
    locale: str = "en"
    time_zone: str = "UTC"
    avatar: Avatar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAccount(Aggregate):
    """``rights_version`` grows with every change after which older access tokens must not hold: see `with_new_rights`.

    ``email`` is ``None`` for people who came through a provider that names no address, and for closed accounts.
    """

    id: UserId
    status: AccountStatus
    email: EmailAddress | None
    password: PasswordHash | None
    password_changed_at: datetime | None
    roles: frozenset[Role]
    plan: Plan
    profile: Profile
    rights_version: int
    created_at: datetime
    verified_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_verified(self) -> bool:
        """Whether the present address is proven."""
        return self.verified_at is not None

    @property
    def is_staff(self) -> bool:
        return bool(self.roles & STAFF)

    @property
    def may_sign_in(self) -> bool:
        return self.status in (AccountStatus.UNVERIFIED, AccountStatus.ACTIVE)

    def with_new_rights(self) -> UserAccount:
        """Make every access token that was issued so far worthless: after a change of password, factor, role, plan or status."""
        return replace(self, rights_version=self.rights_version + 1)
