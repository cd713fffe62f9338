from __future__ import annotations

import hashlib
from collections.abc import Collection
from itertools import count

from tradingcore.auth.model.password import PasswordCheck, PasswordHash, canonical_password
from tradingcore.auth.ports.passwords import PasswordBlocklist, PasswordHasher

_SCHEME = "memory"


class MemoryPasswordHasher(PasswordHasher):
    """Quick and the same in every run: for tests, never for people. ``scheme`` may be set anew to see hashes of before age."""

    def __init__(self, scheme: str = _SCHEME) -> None:
        self.scheme = scheme
        self._salts = count()

    async def hash(self, password: str) -> PasswordHash:
        salt = str(next(self._salts))
        return PasswordHash(scheme=self.scheme, encoded=f"{salt}${_digest(salt, password)}")

    async def verify(self, password: str, known: PasswordHash | None) -> PasswordCheck:
        if known is None:
            return PasswordCheck(is_right=False)
        salt, _, digest = known.encoded.partition("$")
        is_right = _digest(salt, password) == digest
        return PasswordCheck(is_right=is_right, is_outdated=is_right and known.scheme != self.scheme)


class MemoryPasswordBlocklist(PasswordBlocklist):
    def __init__(self, words: Collection[str] = ()) -> None:
        self._words = {canonical_password(word).casefold() for word in words}

    async def contains(self, password: str) -> bool:
        return canonical_password(password).casefold() in self._words


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256((salt + canonical_password(password)).encode("utf-8", "surrogatepass")).hexdigest()
