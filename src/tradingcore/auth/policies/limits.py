"""How often who may try what: the table of limits, and which of its buckets one attempt counts in.

A wrong guess costs the guesser, not the owner: buckets that anybody can fill from anywhere ask for a challenge, and a device that
the owner has trusted counts by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tradingcore.auth.model.puzzle import PUZZLE_LIFETIME
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.limits import AttemptKey, Bucket, Excess
from tradingcore.kernel.network import NetworkPrefix

_MINUTE: Final = timedelta(minutes=1)
_QUARTER: Final = timedelta(minutes=15)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)

ACCOUNT_FROM_NETWORK: Final = Bucket(name="auth.account_network", limit=5, window=_QUARTER)
ACCOUNT: Final = Bucket(name="auth.account", limit=20, window=_QUARTER, excess=Excess.CHALLENGE)
ACCOUNT_IN_A_ROW: Final = Bucket(name="auth.account_consecutive", limit=100, window=_MONTH, is_consecutive=True)
"""Of NIST 800-63B, 3.2.2: then the password is no way in until it was reset."""
NETWORK: Final = Bucket(name="auth.network", limit=30, window=_QUARTER)
NETWORK_PER_DAY: Final = Bucket(name="auth.network_day", limit=200, window=_DAY)
EVERYBODY: Final = Bucket(name="auth.global", limit=1000, window=5 * _MINUTE, excess=Excess.CHALLENGE)
DEVICE: Final = Bucket(name="auth.device", limit=5, window=_QUARTER)
DEVICE_IN_A_ROW: Final = Bucket(name="auth.device_consecutive", limit=100, window=_MONTH, is_consecutive=True)

CODES_PER_CHALLENGE: Final = Bucket(name="code.challenge", limit=5, window=_HOUR, is_consecutive=True)
CODES: Final = Bucket(name="code.user", limit=5, window=5 * _MINUTE)
CODES_PER_HOUR: Final = Bucket(name="code.user_hour", limit=20, window=_HOUR)
CODES_PER_DAY: Final = Bucket(name="code.user_day", limit=50, window=_DAY)

REGISTRATIONS: Final = Bucket(name="register.network", limit=10, window=_HOUR)
RESET_MAIL: Final = Bucket(name="mail.reset", limit=1, window=_MINUTE)
RESET_MAIL_PER_DAY: Final = Bucket(name="mail.reset_day", limit=5, window=_DAY)
VERIFICATION_MAIL: Final = Bucket(name="mail.verification", limit=3, window=6 * _HOUR)
PUZZLE_ANSWERS: Final = Bucket(name="puzzle.answer", limit=1, window=PUZZLE_LIFETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPolicy:
    """Names the buckets of one attempt. ``key`` is a secret: it keeps accounts and addresses out of the counters."""

    key: bytes

    def sign_in(self, *, account: str, network: NetworkPrefix, device: str | None = None) -> tuple[AttemptKey, ...]:
        """A password, a passkey or a code by mail for ``account``: its normalised name, known or not.

        ``device`` is the id of a trusted device of that account, proven by its cookie: then nothing that others do counts.
        """
        if device is not None:
            return self._of(DEVICE, account, device), self._of(DEVICE_IN_A_ROW, account, device)
        return (
            self._of(ACCOUNT_FROM_NETWORK, account, network.text),
            self._of(ACCOUNT, account),
            *self.consecutive(account=account),
            self._of(NETWORK, network.text),
            self._of(NETWORK_PER_DAY, network.text),
            self._of(EVERYBODY),
        )

    def consecutive(self, *, account: str) -> tuple[AttemptKey, ...]:
        """What a new password clears."""
        return (self._of(ACCOUNT_IN_A_ROW, account),)

    def password_check(self, *, user_id: UserId, session: str) -> tuple[AttemptKey, ...]:
        """The password of somebody who is signed in already, by the session that asks for it."""
        return self._of(DEVICE, str(user_id), session), self._of(DEVICE_IN_A_ROW, str(user_id), session)

    def code_check(self, *, user_id: UserId, challenge: str | None = None) -> tuple[AttemptKey, ...]:
        """A code of a second factor. With ``challenge`` (its id) at most five for it, whatever the clock says."""
        user = str(user_id)
        per_challenge = () if challenge is None else (self._of(CODES_PER_CHALLENGE, challenge),)
        return (*per_challenge, self._of(CODES, user), self._of(CODES_PER_HOUR, user), self._of(CODES_PER_DAY, user))

    def registration(self, *, network: NetworkPrefix) -> tuple[AttemptKey, ...]:
        return (self._of(REGISTRATIONS, network.text),)

    def reset_mail(self, *, account: str) -> tuple[AttemptKey, ...]:
        return self._of(RESET_MAIL, account), self._of(RESET_MAIL_PER_DAY, account)

    def verification_mail(self, *, account: str) -> tuple[AttemptKey, ...]:
        """By address, like everything that fills somebody's mailbox: new accounts with it cost nothing."""
        return (self._of(VERIFICATION_MAIL, account),)

    def puzzle(self, puzzle: str) -> tuple[AttemptKey, ...]:
        """An answer to a puzzle, which counts once."""
        return (self._of(PUZZLE_ANSWERS, puzzle),)

    def _of(self, bucket: Bucket, *parts: str) -> AttemptKey:
        return AttemptKey.of(bucket, *parts, key=self.key)
