"""What happens to accounts. Acts are audited; nothing here carries personal data that is not sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from tradingcore.auth.model.challenge import ChallengePurpose, FactorKind
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.session import AuthMethod, EndReason
from tradingcore.kernel.aggregate import AuditedEvent, DomainEvent
from tradingcore.kernel.authz import Plan, Role
from tradingcore.kernel.proposal import Outcome


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
class AccountErased(AuditedEvent):
    """Nothing of the person is left but this trail. ``by`` is who carried it out."""

    type: ClassVar[str] = "auth.account_erased"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFrozen(AuditedEvent):
    type: ClassVar[str] = "auth.account_frozen"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnfrozen(AuditedEvent):
    type: ClassVar[str] = "auth.account_unfrozen"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMailed(AuditedEvent):
    """A secret that works once is on its way to the owner of an address."""

    type: ClassVar[str] = "auth.token_mailed"
    purpose: TokenPurpose


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
class SteppedUp(AuditedEvent):
    """Whoever is in the session proved again to be its owner."""

    type: ClassVar[str] = "auth.stepped_up"
    session_id: UUID
    method: AuthMethod


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
    """A wrong answer to a challenge; without a ``purpose``, a wrong first code of a factor that is being set up."""

    type: ClassVar[str] = "auth.factor_denied"
    kind: FactorKind
    purpose: ChallengePurpose | None


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
class SealedRequest(DomainEvent):
    """Something that somebody asks about an address. ``sealed`` holds what was asked, encrypted.

    It is answered later and by mail: whoever asks gets the same answer, after the same work, whatever is known of the address.
    """

    request_id: UUID
    sealed: str

    @property
    def ordering_key(self) -> str:
        return f"request:{self.request_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRequested(SealedRequest):
    type: ClassVar[str] = "auth.registration_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequested(SealedRequest):
    type: ClassVar[str] = "auth.verification_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordResetRequested(SealedRequest):
    type: ClassVar[str] = "auth.password_reset_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChangeRequested(SealedRequest):
    type: ClassVar[str] = "auth.address_change_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneProofStarted(AuditedEvent):
    """A code was asked for; ``region`` is the country of the number."""

    type: ClassVar[str] = "auth.phone_proof_started"
    proof_id: UUID
    channel: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneProven(AuditedEvent):
    """A number was confirmed, in place of an earlier one if there was one."""

    type: ClassVar[str] = "auth.phone_proven"
    proof_id: UUID
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRemoved(AuditedEvent):
    type: ClassVar[str] = "auth.phone_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyCreated(AuditedEvent):
    type: ClassVar[str] = "auth.api_key_created"
    key_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRevoked(AuditedEvent):
    type: ClassVar[str] = "auth.api_key_revoked"
    key_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeysRewrapped(AuditedEvent):
    """Every data key is wrapped by the key-encryption key of this version now, save those that could not be read."""

    type: ClassVar[str] = "auth.data_keys_rewrapped"
    key_version: str
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeyReplaced(AuditedEvent):
    """A user's personal data was sealed anew under a fresh data key."""

    type: ClassVar[str] = "auth.data_key_replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataRead(AuditedEvent):
    """Staff looked at somebody's account."""

    type: ClassVar[str] = "auth.personal_data_read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorsReset(AuditedEvent):
    """Staff took the second factors away from somebody who had lost them."""

    type: ClassVar[str] = "auth.factors_reset"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalMade(AuditedEvent):
    type: ClassVar[str] = "auth.proposal_made"
    proposal_id: UUID
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDecidedOn(AuditedEvent):
    type: ClassVar[str] = "auth.proposal_decided_on"
    proposal_id: UUID
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLinked(AuditedEvent):
    type: ClassVar[str] = "auth.identity_linked"
    identity_id: UUID
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnlinked(AuditedEvent):
    type: ClassVar[str] = "auth.identity_unlinked"
    identity_id: UUID
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTakenBack(AuditedEvent):
    """Whoever has proven an unproven account's address got it, without anything that its maker had chosen."""

    type: ClassVar[str] = "auth.account_taken_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSwitchSet(AuditedEvent):
    """An operator stopped every code by phone, or let them go again."""

    type: ClassVar[str] = "auth.phone_switch_set"
    is_stopped: bool


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
    AccountErased,
    AccountFrozen,
    AccountUnfrozen,
    TokenMailed,
    RightsChanged,
    SignedIn,
    SteppedUp,
    SignInRefused,
    SessionEnded,
    RefreshReuse,
    FactorAdded,
    FactorRemoved,
    FactorDenied,
    BackupCodesReplaced,
    DeviceTrusted,
    DeviceTrustEnded,
    RegistrationRequested,
    VerificationRequested,
    PasswordResetRequested,
    AddressChangeRequested,
    PhoneProofStarted,
    PhoneProven,
    PhoneRemoved,
    PhoneSwitchSet,
    ApiKeyCreated,
    ApiKeyRevoked,
    DataKeysRewrapped,
    DataKeyReplaced,
    PersonalDataRead,
    FactorsReset,
    ProposalMade,
    ProposalDecidedOn,
    IdentityLinked,
    IdentityUnlinked,
    AccountTakenBack,
    MailRequested,
)
