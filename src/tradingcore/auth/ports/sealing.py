"""Sealing of personal data: one data key for each user, wrapped by a key-encryption key that never touches the database.

Deleting a user's data key makes everything that was sealed with it unreadable, in backups too once they age out.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key as it is stored: encrypted by the key-encryption key named ``key_version``."""

    id: UUID
    wrapped: bytes
    key_version: str


class Sealer(Protocol):
    """Authenticated encryption with a data key, and keyed hashes to look up what is sealed.

    ``about`` says which cell a value belongs to (table, column, row id): a value that is moved to another cell does not open.
    Sealing is synchronous and does no I/O: mappers call it for each row. Nothing here depends on a transaction.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def current_version(self) -> str:
        """The version of the key-encryption key that wraps now; data keys of other versions wait for `rewrap`."""

    @abstractmethod
    def new_key(self) -> WrappedKey:
        """Return a fresh data key, wrapped by the current version."""

    @abstractmethod
    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """Return the same data key wrapped by the current version, so that what it sealed stays readable. Raises `Unsealable`."""

    @abstractmethod
    def seal(self, key: WrappedKey, plaintext: bytes, *, about: str) -> bytes:
        """Encrypt; the same plaintext gives another result each time. Raises `Unsealable` for a key that cannot be unwrapped."""

    @abstractmethod
    def open(self, key: WrappedKey, sealed: bytes, *, about: str) -> bytes:
        """Decrypt. Raises `Unsealable` for another key, another ``about``, and anything that was altered or cut."""

    @abstractmethod
    def blind_index(self, value: str, *, purpose: str) -> bytes:
        """Return 32 bytes that stand for ``value`` in look-ups: equal for equal values of one purpose, unrelated otherwise.

        The caller brings ``value`` into its one spelling before. Rotation does not change an index.
        """


class PurposeSealer(Protocol):
    """Sealing of short-lived things that have no owner's key: payloads of mail on its way, verifiers of sign-ins under way.

    A text opens only for the purpose and the ``about`` that it was sealed for.
    """

    __slots__ = ()

    @abstractmethod
    def seal(self, plaintext: bytes, *, purpose: str, about: str) -> str:
        """Encrypt into printable ASCII; the same plaintext gives another text each time."""

    @abstractmethod
    def open(self, text: str, *, purpose: str, about: str) -> bytes:
        """Decrypt. Raises `Unsealable`, also for a text that was sealed under a key retired since."""
