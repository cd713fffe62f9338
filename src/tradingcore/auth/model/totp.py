"""Time-based one-time passwords (RFC 6238 over RFC 4226): SHA-1, six digits, steps of 30 seconds, a secret of 160 bits."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from tradingcore.kernel.authz import UserId

SECRET_BYTES: Final = 20
STEP_SECONDS: Final = 30
DIGITS: Final = 6
PREVIOUS_STEPS: Final = 1
"""How many steps before the current one still count: a code that was read just before it changed. Strict settings use 0."""

_CODE: Final = re.compile(r"[0-9]{6}")
_SPACES: Final = re.compile(r"[ \u00a0-]")


def step_at(at: datetime) -> int:
    """The number of the step that ``at`` lies in (RFC 6238, 4.2: T with T0 = 0 and X = 30)."""
    return int(at.timestamp()) // STEP_SECONDS


def code_of_step(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """The code of one step (RFC 4226, 5.3, with the step as the counter)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: bytes, code: str, *, at: datetime, previous_steps: int = PREVIOUS_STEPS) -> int | None:
    """The newest step that ``code`` belongs to, or ``None``; spaces in ``code`` are left out.

    Only the current step and ``previous_steps`` before it count, never a step that is still to come. ``at`` is the server's time.
    """
    digits = _SPACES.sub("", code)
    if not _CODE.fullmatch(digits):
        return None
    now = step_at(at)
    # All steps are compared, so that the time taken does not say which one it was.
    right = [step for step in range(now - previous_steps, now + 1) if hmac.compare_digest(code_of_step(secret, step), digits)]
    return right[-1] if right else None


def secret_text(secret: bytes) -> str:
    """The secret as people type it into an authenticator: base32 without padding (RFC 4648)."""
    return base64.b32encode(secret).rstrip(b"=").decode()


def provisioning_uri(secret: bytes, *, issuer: str, account: str) -> str:
    """The address that an authenticator reads from a QR code.

    Source: "Key Uri Format" of Google Authenticator. The defaults of the format are left out, because some readers refuse them.
    """
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    return f"otpauth://totp/{label}?{urlencode({'secret': secret_text(secret), 'issuer': issuer}, quote_via=quote)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpFactor:
    """A user's authenticator, without its secret. It counts only once confirmed: before, no device has shown that it holds it.

    ``last_step`` is the newest step that was accepted; nothing at or before it is accepted again.
    """

    user_id: UserId
    created_at: datetime
    last_step: int = -1
    confirmed_at: datetime | None = None

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None
