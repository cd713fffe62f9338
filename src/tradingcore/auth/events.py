"""What happens to accounts. All of it is audited; none of it carries personal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from tradingcore.auth.model.challenge import ChallengePurpose, FactorKind
from tradingcore.auth.model.session import AuthMethod, EndReason
from tradingcore.kernel.aggregate import AuditedEvent, DomainEvent
from tradingcore.kernel.authz import Plan, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRegistered(AuditedEvent):
    type: ClassVar[str] = "auth.account_registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressVerified(AuditedEvent):
    type: ClassVar[str] = "auth.address_verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged(AuditedEvent):
    """``is_undone``: the old address came back."""

    type: ClassVar[str] = "auth.address_changed"
    is_undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(AuditedEvent):
    """``is_reset``: by a mailed token, without the old one."""

    type: ClassVar[str] = "auth.password_changed"
    is_reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClosed(AuditedEvent):
    type: ClassVar[str] = "auth.account_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsChanged(AuditedEvent):
    """Roles or plan, as they are now; ``by`` is who changed them."""

    type: ClassVar[str] = "auth.rights_changed"
    roles: tuple[Role, ...]
    plan: Plan
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(AuditedEvent):
    type: ClassVar[str] = "auth.signed_in"
    session_id: UUID
    methods: tuple[AuthMethod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRefused(AuditedEvent):
    """``user_id`` is the account that was tried, if there is one."""

    type: ClassVar[str] = "auth.sign_in_refused"
    method: AuthMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(AuditedEvent):
    type: ClassVar[str] = "auth.session_ended"
    session_id: UUID
    reason: EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshReuse(AuditedEvent):
    """A refresh token came back after its successor was taken: the session ended, because one of two holders is a thief."""

    type: ClassVar[str] = "auth.refresh_reuse"
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAdded(AuditedEvent):
    """A second factor counts from now on."""

    type: ClassVar[str] = "auth.factor_added"
    kind: FactorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRemoved(AuditedEvent):
    type: ClassVar[str] = "auth.factor_removed"
    kind: FactorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorDenied(AuditedEvent):
    """A wrong answer to a challenge."""

    type: ClassVar[str] = "auth.factor_denied"
    kind: FactorKind
    purpose: ChallengePurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCodesReplaced(AuditedEvent):
    type: ClassVar[str] = "auth.backup_codes_replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrusted(AuditedEvent):
    type: ClassVar[str] = "auth.device_trusted"
    device_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrustEnded(AuditedEvent):
    """``device_id`` is ``None`` when all of them lost it."""

    type: ClassVar[str] = "auth.device_trust_ended"
    device_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequested(DomainEvent):
    """A mail to send. ``sealed`` holds recipient, locale and values, encrypted; the template ``none`` is thrown away.

    Such decoys make a call cost the same whether there is somebody to write to or not.
    """

    type: ClassVar[str] = "auth.mail_requested"
    mail_id: UUID
    template: str
    sealed: str

    @property
    def ordering_key(self) -> str:
        return f"mail:{self.mail_id}"


EVENTS: Final[tuple[type[DomainEvent], ...]] = (
    AccountRegistered,
    AddressVerified,
    AddressChanged,
    PasswordChanged,
    AccountClosed,
    RightsChanged,
    SignedIn,
    SignInRefused,
    SessionEnded,
    RefreshReuse,
    FactorAdded,
    FactorRemoved,
    FactorDenied,
    BackupCodesReplaced,
    DeviceTrusted,
    DeviceTrustEnded,
    MailRequested,
)
