"""How a password becomes what is stored. A scheme's id is stored beside each hash and never changes its meaning."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from abc import abstractmethod
from typing import Final, Protocol

import argon2.low_level as argon2
import bcrypt
from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from tradingcore.auth.model.password import canonical_password

BCRYPT_COST: Final = 12


class Scheme(Protocol):
    """Blocking and slow: called from the threads of a hasher only."""

    __slots__ = ()

    id: str

    @abstractmethod
    def make(self, password: str) -> str: ...

    @abstractmethod
    def matches(self, password: str, encoded: str) -> bool:
        """``False`` for an ``encoded`` that cannot be read."""

    @abstractmethod
    def is_current(self, encoded: str) -> bool:
        """Whether `make` would use the same parameters today."""

    @property
    @abstractmethod
    def decoy(self) -> str:
        """A hash of nothing that takes `matches` as long as a real one."""


class BcryptScheme(Scheme):
    """bcrypt over 64 letters: base64(HMAC-SHA-384(pepper, password)), so neither its 72 bytes nor NUL bytes matter.

    ``cost`` is the binary logarithm of the rounds; 12 takes about a quarter of a second.
    """

    __slots__ = ("_cost", "_pepper", "id")

    def __init__(self, pepper: bytes, *, cost: int = BCRYPT_COST) -> None:
        self.id = "bcrypt-hmac-sha384"
        self._pepper = pepper
        self._cost = cost

    def make(self, password: str) -> str:
        return bcrypt.hashpw(self._letters(password), bcrypt.gensalt(self._cost)).decode()

    def matches(self, password: str, encoded: str) -> bool:
        try:
            return bcrypt.checkpw(self._letters(password), encoded.encode())
        except ValueError:
            return False

    def is_current(self, encoded: str) -> bool:
        return encoded.startswith(f"$2b${self._cost:02}$")

    @property
    def decoy(self) -> str:
        return f"$2b${self._cost:02}${'.' * 53}"

    def _letters(self, password: str) -> bytes:
        return base64.b64encode(_peppered(self._pepper, password))


class Argon2Scheme(Scheme):
    """Argon2id over HMAC-SHA-384(pepper, password): 2 passes over 19 MiB in one lane (OWASP's recommendation)."""

    __slots__ = ("_memory_kib", "_passes", "_pepper", "id")

    def __init__(self, pepper: bytes, *, passes: int = 2, memory_kib: int = 19 * 1024) -> None:
        self.id = "argon2id-hmac-sha384"
        self._pepper = pepper
        self._passes = passes
        self._memory_kib = memory_kib

    def make(self, password: str) -> str:
        return argon2.hash_secret(
            _peppered(self._pepper, password),
            os.urandom(16),
            time_cost=self._passes,
            memory_cost=self._memory_kib,
            parallelism=1,
            hash_len=32,
            type=argon2.Type.ID,
        ).decode()

    def matches(self, password: str, encoded: str) -> bool:
        try:
            return argon2.verify_secret(encoded.encode(), _peppered(self._pepper, password), argon2.Type.ID)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def is_current(self, encoded: str) -> bool:
        try:
            known = extract_parameters(encoded)
        except InvalidHashError:
            return False
        return (known.time_cost, known.memory_cost, known.parallelism) == (self._passes, self._memory_kib, 1)

    @property
    def decoy(self) -> str:
        return f"$argon2id$v=19$m={self._memory_kib},t={self._passes},p=1${'A' * 22}${'A' * 43}"


def _peppered(pepper: bytes, password: str) -> bytes:
    # Text that is no text (half a surrogate pair) must fail like any wrong password.
    return hmac.digest(pepper, canonical_password(password).encode("utf-8", "surrogatepass"), hashlib.sha384)
