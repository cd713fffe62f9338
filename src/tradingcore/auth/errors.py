from tradingcore.kernel.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RuleViolation,
    TradingCoreError,
    Unauthenticated,
    Unavailable,
)


class CredentialRefused(Unauthenticated):
    """One error for every wrong credential: unknown, malformed, expired or revoked."""

    code = "auth.credential_refused"
    title = "Credential refused"


class WorkRequired(Unauthenticated):
    """Somebody guesses a lot: whoever asks solves a puzzle first (`auth.model.puzzle`), then the attempt is looked at."""

    code = "auth.work_required"
    title = "Proof of work required"

    def __init__(self, message: str, *, puzzle: str, bits: int) -> None:
        super().__init__(message)
        self.puzzle = puzzle
        self.bits = bits


class ApiKeyNotFound(NotFound):
    code = "auth.api_key_not_found"
    title = "API key not found"


class AccountNotFound(NotFound):
    code = "auth.account_not_found"
    title = "Account not found"


class SessionNotFound(NotFound):
    code = "auth.session_not_found"
    title = "Session not found"


class CodeRefused(InvalidInput):
    """One error for every mailed token or code that does not hold: unknown, of another purpose, expired, used, void."""

    code = "auth.code_refused"
    title = "Code refused"


class PasswordRefused(InvalidInput):
    """Too short, too long or too easy to guess; the message says which, never the password."""

    code = "auth.password_refused"
    title = "Password refused"


class ChallengeEnded(InvalidInput):
    """The challenge is unknown, answered, expired or out of attempts, or was asked for something else: begin again."""

    code = "auth.challenge_ended"
    title = "Challenge ended"


class FactorRefused(InvalidInput):
    """One error for every wrong answer to a challenge that is open: a wrong code, a used one, a replay."""

    code = "auth.factor_refused"
    title = "Second factor refused"


class FactorNeeded(RuleViolation):
    """The session was opened with a second factor, so that a password alone does not renew it."""

    code = "auth.factor_needed"
    title = "Second factor needed"


class FactorExists(Conflict):
    """The account has a factor of this kind already: remove it first."""

    code = "auth.factor_exists"
    title = "Second factor exists"


class FactorNotFound(NotFound):
    code = "auth.factor_not_found"
    title = "Second factor not found"


class TrustedDeviceNotFound(NotFound):
    code = "auth.trusted_device_not_found"
    title = "Trusted device not found"


class PasswordWrong(InvalidInput):
    """Somebody who has signed in gave another password than the present one."""

    code = "auth.password_wrong"
    title = "Password wrong"


class AccountDisabled(RuleViolation):
    """The account is closed or suspended, which its owner learns only after proving to be the owner."""

    code = "auth.account_disabled"
    title = "Account disabled"


class AddressTaken(Conflict):
    """Another account has proven this address. Never shown to anybody who has not proven it too."""

    code = "auth.address_taken"
    title = "Address taken"


class Overloaded(Unavailable):
    """More password checks wait than can be done soon. ``retry_after_seconds`` says when another may pass."""

    code = "auth.overloaded"
    title = "Too many sign-ins at once"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unsealable(TradingCoreError):
    """A sealed value does not open: its key is gone, or it was altered or moved. The caller did nothing wrong."""

    code = "auth.unsealable"
    title = "Sealed value does not open"


class ProviderNotFound(NotFound):
    """There is no such identity provider, or it is not switched on here."""

    code = "auth.provider_not_found"
    title = "Identity provider not found"


class ProviderFlowUnknown(InvalidInput):
    """One error for every answer that belongs to no sign-in under way in this browser: forged, swapped, used before, late."""

    code = "auth.provider_flow_unknown"
    title = "No such sign-in under way"


class IdentityRefused(Unauthenticated):
    """The provider has not proven who somebody is. ``reason`` names the check for tests and logs; callers are never told."""

    code = "auth.identity_refused"
    title = "Identity refused"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class IdentityNotFound(NotFound):
    code = "auth.identity_not_found"
    title = "Identity not found"


class IdentityTaken(Conflict):
    """The identity is linked to another account."""

    code = "auth.identity_taken"
    title = "Identity taken"


class LastSignInMethod(RuleViolation):
    """Without it nobody could sign in to the account."""

    code = "auth.last_sign_in_method"
    title = "Last way to sign in"


class ProposalNotFound(NotFound):
    code = "auth.proposal_not_found"
    title = "Proposal not found"


class PhoneRefused(InvalidInput):
    """Not a mobile number of a country that is served; the message says why, never the number."""

    code = "auth.phone_refused"
    title = "Phone number refused"


class PhoneNotFound(NotFound):
    code = "auth.phone_not_found"
    title = "Phone not found"


class PhoneUnavailable(Unavailable):
    """No code can be sent to this number now. Which budget is used up, or which part is broken, is for operators to know."""

    code = "auth.phone_unavailable"
    title = "No code can be sent now"


class AddressNotVerified(RuleViolation):
    """The account has to prove its mail address first."""

    code = "auth.address_not_verified"
    title = "Mail address not verified"
