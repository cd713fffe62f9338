"""Error categories. Contexts subclass them with a stable ``code``; the edges map a category to a status or an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value inside an input: a JSON pointer, a stable code and a sentence."""

    pointer: str
    code: str
    detail: str


class TradingCoreError(Exception):
    """Root of every error that the core raises on purpose. ``str(error)`` is a sentence that is fit for a user."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"


class InvalidInput(TradingCoreError):
    """What the caller sent is malformed or out of range."""

    code = "invalid_input"
    title = "Invalid input"

    def __init__(self, message: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class Unauthenticated(TradingCoreError):
    """No credential, or one that does not hold."""

    code = "unauthenticated"
    title = "Authentication required"


class StepUpRequired(Unauthenticated):
    """The caller is signed in, not recently or not surely enough for this (RFC 9470)."""

    code = "step_up_required"
    title = "Recent sign-in required"

    def __init__(self, message: str, *, max_age_seconds: int, assurance: str) -> None:
        super().__init__(message)
        self.max_age_seconds = max_age_seconds
        self.assurance = assurance


class PermissionDenied(TradingCoreError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    title = "Permission denied"


class NotFound(TradingCoreError):
    """No such object, or none that the caller may see."""

    code = "not_found"
    title = "Not found"


class Conflict(TradingCoreError):
    """The state moved since the caller looked, or the object exists already."""

    code = "conflict"
    title = "Conflict"


class StaleVersion(Conflict):
    """Somebody else saved a newer version of the aggregate first."""

    code = "stale_version"
    title = "Stale version"


class AlreadyHandled(Conflict):
    """This handler has recorded this event before: there is nothing left to do."""

    code = "already_handled"
    title = "Already handled"


class RuleViolation(TradingCoreError):
    """A business rule forbids it."""

    code = "rule_violation"
    title = "Rule violation"


class TooManyAttempts(TradingCoreError):
    """A limit is used up. ``retry_after_seconds`` says when the next attempt may pass."""

    code = "too_many_attempts"
    title = "Too many attempts"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class WriteWhileReading(TradingCoreError):
    """A call that said it only reads tried to write: a bug of ours, nothing was written."""

    code = "write_while_reading"
    title = "Internal error"


class Unavailable(TradingCoreError):
    """A dependency cannot be reached now; the same call may succeed later."""

    code = "unavailable"
    title = "Temporarily unavailable"
