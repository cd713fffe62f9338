from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from tradingcore.auth.model.password import PasswordCheck, PasswordHash


class PasswordHasher(Protocol):
    """Slow on purpose, and off the event loop. Both methods raise `Overloaded` at once when too many wait already."""

    __slots__ = ()

    @abstractmethod
    async def hash(self, password: str) -> PasswordHash:
        """Hash in the present scheme, with a salt of its own each time. Spellings that are canonically equal are one password."""

    @abstractmethod
    async def verify(self, password: str, known: PasswordHash | None) -> PasswordCheck:
        """Compare with a hash of any scheme that was ever in use; a hash that cannot be read is never right.

        ``None`` stands for an account that does not exist or has no password: it takes as long and is never right.
        """


class PasswordBlocklist(Protocol):
    """Passwords that attackers try first."""

    __slots__ = ()

    @abstractmethod
    async def contains(self, password: str) -> bool:
        """Tell whether the password is known, in whatever case; one may look through obvious padding and repetition."""
