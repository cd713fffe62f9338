"""The account of a person: who may sign in, and as what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from tradingcore.auth.errors import AccountDisabled
from tradingcore.auth.events import (
    AccountClosed,
    AccountFrozen,
    AccountRegistered,
    AccountTakenBack,
    AccountUnfrozen,
    AddressChanged,
    AddressVerified,
    PasswordChanged,
    RightsChanged,
)
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.password import PasswordHash
from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import Plan, Role, UserId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.permissions import STAFF

FIRST_ROLE: Final = Role.INVESTOR


class AccountKind(StrEnum):
    """``service``: acts through API keys only; it has neither address nor password."""

    PERSON = "person"
    SERVICE = "service"


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
    kind: AccountKind = AccountKind.PERSON

    @classmethod
    def service(cls, *, id: UserId, name: str, roles: frozenset[Role], plan: Plan, at: datetime) -> UserAccount:  # noqa: A002 - the field's name
        """The account of a program: it has neither address nor password and acts through its API keys."""
        return cls(
            id=id,
            kind=AccountKind.SERVICE,
            status=AccountStatus.ACTIVE,
            email=None,
            password=None,
            password_changed_at=None,
            roles=roles,
            plan=plan,
            profile=Profile(display_name=name[:80]),
            rights_version=1,
            created_at=at,
        )

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

    @classmethod
    def register(
        cls,
        *,
        id: UserId,  # noqa: A002 - the field's name
        email: EmailAddress | None,
        password: PasswordHash | None,
        profile: Profile,
        at: datetime,
        roles: frozenset[Role] = frozenset({FIRST_ROLE}),
        plan: Plan = Plan.FREE,
    ) -> UserAccount:
        """A new account. Nobody has proven its address; one without an address has nothing to prove later either."""
        account = cls(
            id=id,
            status=AccountStatus.UNVERIFIED,
            email=email,
            password=password,
            password_changed_at=None if password is None else at,
            roles=roles,
            plan=plan,
            profile=profile,
            rights_version=1,
            created_at=at,
        )
        return account.announcing(AccountRegistered(occurred_at=at, user_id=id))

    def verified(self, *, at: datetime) -> UserAccount:
        """The present address is proven. Doing it again changes nothing."""
        if self.is_verified or self.email is None or self.status is AccountStatus.CLOSED:
            return self
        return self._proven(self.email, at).announcing(AddressVerified(occurred_at=at, user_id=self.id))

    def with_address(self, email: EmailAddress, *, at: datetime, is_undone: bool = False) -> UserAccount:
        """Another address, which was proven just now. Raises `AccountDisabled` for a closed account."""
        if self.status is AccountStatus.CLOSED:
            raise AccountDisabled("this account is closed")
        return self._proven(email, at).announcing(AddressChanged(occurred_at=at, user_id=self.id, is_undone=is_undone))

    def _proven(self, email: EmailAddress, at: datetime) -> UserAccount:
        status = AccountStatus.ACTIVE if self.status is AccountStatus.UNVERIFIED else self.status
        return replace(self, email=email, verified_at=at, status=status).with_new_rights()

    def taken_back(self, *, email: EmailAddress, name: str, at: datetime) -> UserAccount:
        """``email``, which counts as its address, was proven, not by its maker: language and time zone are all that stays."""
        clean = replace(
            self,
            password=None,
            password_changed_at=None,
            roles=frozenset({FIRST_ROLE}),
            plan=Plan.FREE,
            profile=replace(self.profile, display_name=name, avatar=None),
        )
        return clean._proven(email, at).announcing(AccountTakenBack(occurred_at=at, user_id=self.id))

    def with_password(self, password: PasswordHash, *, at: datetime, is_reset: bool = False) -> UserAccount:
        """Another password, chosen by the owner."""
        changed = replace(self, password=password, password_changed_at=at).with_new_rights()
        return changed.announcing(PasswordChanged(occurred_at=at, user_id=self.id, is_reset=is_reset))

    def without_password(self, *, at: datetime) -> UserAccount:
        """Whoever knew it knows nothing any more; another one can be chosen by mail."""
        changed = replace(self, password=None, password_changed_at=at).with_new_rights()
        return changed.announcing(PasswordChanged(occurred_at=at, user_id=self.id, is_reset=True))

    def with_better_hash(self, password: PasswordHash) -> UserAccount:
        """The same password, hashed as it is done today: nothing changes for anybody."""
        return replace(self, password=password)

    def with_profile(self, profile: Profile) -> UserAccount:
        return replace(self, profile=profile)

    def with_rights(self, *, roles: frozenset[Role], plan: Plan, by: str, at: datetime) -> UserAccount:
        """Raises `InvalidInput` for no role at all: freeze an account instead; `AccountDisabled` for a closed account."""
        if self.status is AccountStatus.CLOSED:
            raise AccountDisabled("this account is closed")
        if not roles:
            raise InvalidInput("an account has at least one role; freeze it if its owner shall do nothing")
        if (roles, plan) == (self.roles, self.plan):
            return self
        changed = replace(self, roles=roles, plan=plan).with_new_rights()
        return changed.announcing(RightsChanged(occurred_at=at, user_id=self.id, roles=tuple(sorted(roles)), plan=plan, by=by))

    def frozen(self, *, by: str, at: datetime) -> UserAccount:
        """Suspended until `unfrozen`. Raises `AccountDisabled` for a closed account."""
        if self.status is AccountStatus.CLOSED:
            raise AccountDisabled("this account is closed")
        if self.status is AccountStatus.FROZEN:
            return self
        changed = replace(self, status=AccountStatus.FROZEN).with_new_rights()
        return changed.announcing(AccountFrozen(occurred_at=at, user_id=self.id, by=by))

    def unfrozen(self, *, by: str, at: datetime) -> UserAccount:
        if self.status is not AccountStatus.FROZEN:
            return self
        # Without an address there is nothing that could be unproven.
        is_open = self.is_verified or self.email is None
        changed = replace(self, status=AccountStatus.ACTIVE if is_open else AccountStatus.UNVERIFIED).with_new_rights()
        return changed.announcing(AccountUnfrozen(occurred_at=at, user_id=self.id, by=by))

    def closed(self, *, at: datetime) -> UserAccount:
        """Ended for good: nothing personal stays here, and the address is free for a new account."""
        if self.status is AccountStatus.CLOSED:
            return self
        changed = replace(
            self,
            status=AccountStatus.CLOSED,
            email=None,
            verified_at=None,
            password=None,
            profile=Profile(locale=self.profile.locale),
            closed_at=at,
        )
        return changed.with_new_rights().announcing(AccountClosed(occurred_at=at, user_id=self.id))
