"""Accounts, the tokens that are mailed to their owners, and how they are found."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.ports.sessions import SessionRepository
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.authz import UserId


class AccountRepository(Protocol):
    """A row is visible to its owner, to whoever manages users, to operators and to the platform."""

    __slots__ = ()

    @abstractmethod
    async def get(self, user_id: UserId) -> UserAccount:
        """Raise `AccountNotFound`, also for another user's account."""

    @abstractmethod
    async def save(self, account: UserAccount) -> UserAccount:
        """Insert or update; the first save makes the owner's data key. Raises `StaleVersion`.

        Raises `AddressTaken` when another account has proven the same address, and `AccountNotFound` for another user's account.
        After an error leave the unit.
        """


class OneTimeTokens(Protocol):
    """Mailed secrets of the unit's owner."""

    __slots__ = ()

    @abstractmethod
    async def add(self, token: OneTimeToken) -> None: ...

    @abstractmethod
    async def consume(self, token_hash: bytes, purpose: TokenPurpose, *, at: datetime) -> OneTimeToken | None:
        """Use it up in one statement: of concurrent callers one gets it, the others nothing or `StaleVersion` when their unit ends.

        ``None`` for one that is unknown, of another purpose, expired, used or void.
        """

    @abstractmethod
    async def void(self, user_id: UserId, purposes: Sequence[TokenPurpose]) -> None:
        """Make the open ones of these purposes worthless."""

    @abstractmethod
    async def forget_expired(self, *, before: datetime) -> int:
        """Delete what expired earlier, used or not, and return how many those were; for the platform."""


class AccountUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def accounts(self) -> AccountRepository: ...

    @property
    @abstractmethod
    def one_time_tokens(self) -> OneTimeTokens: ...

    @property
    @abstractmethod
    def sessions(self) -> SessionRepository: ...

    @abstractmethod
    def announce(self, *events: DomainEvent) -> None:
        """Events that belong to no aggregate that is saved, such as a refused attempt. They commit with the unit."""


class AccountLookup(Protocol):
    """Finds the owner for somebody who is nobody yet. Shows a row only to whoever names what cannot be guessed."""

    __slots__ = ()

    @abstractmethod
    async def by_email(self, email: EmailAddress) -> UserAccount | None:
        """Return the account that has proven the address, else the newest that claims it. Closed ones are not found."""

    @abstractmethod
    async def by_one_time_token(self, token_hash: bytes, purpose: TokenPurpose) -> UserId | None:
        """Return whose it is, without using it up."""
