"""Sessions, their refresh tokens, and the news that somebody's rights changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.session import EndReason, RefreshToken, Session
from tradingcore.kernel.authz import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What became of a refresh token that was presented.

    Rotated: ``sealed_successor`` is ``None``. Repeated within the grace: it holds the successor that the first call made, sealed
    under the presented token (`seal_successor`).
    """

    session: Session
    sealed_successor: bytes | None = None


class SessionRepository(Protocol):
    """Rows of the unit's owner; whoever manages users, operators and the platform reach them too."""

    __slots__ = ()

    @abstractmethod
    async def get(self, session_id: SessionId) -> Session:
        """Raise `SessionNotFound`, also for another user's session. Nobody else changes it before the unit ends."""

    @abstractmethod
    async def list_live(self, user_id: UserId, *, at: datetime) -> Sequence[Session]:
        """Return the newest first."""

    @abstractmethod
    async def open(self, session: Session, token: RefreshToken) -> Session:
        """Insert both. Units that open sessions of one user do so one after the other."""

    @abstractmethod
    async def save(self, session: Session) -> Session:
        """Update it; an ended session's refresh tokens die with it. Raises `StaleVersion`."""

    @abstractmethod
    async def rotate(
        self,
        used: bytes,
        successor: RefreshToken,
        *,
        sealed: bytes,
        network: bytes,
        device_label: str,
        at: datetime,
        grace: timedelta,
    ) -> Rotation | None:
        """Use up the live token with the hash ``used`` and store its ``successor``, as one compare-and-set.

        A token that was used at most ``grace`` ago gives the `Rotation` that repeats; ``None`` for everything else: unknown, used
        earlier, revoked, expired, or of a session that ended. The session slides (`Session.slid`), which a repetition does not.
        """

    @abstractmethod
    async def end_all(self, user_id: UserId, reason: EndReason, *, at: datetime, but: SessionId | None = None) -> int:
        """End the live sessions of a user, save one, and return how many those were."""

    @abstractmethod
    async def seen_from(self, user_id: UserId) -> frozenset[tuple[bytes, str]]:
        """Return (network, device label) of every session of a user, those that ended too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOwner:
    """A session with the account that it belongs to, as both are now."""

    session: Session
    account: UserAccount


class SessionLookup(Protocol):
    """Finds a session for somebody who is nobody yet."""

    __slots__ = ()

    @abstractmethod
    async def for_authentication(self, session_id: SessionId, user_id: UserId) -> SessionOwner | None:
        """Read both in one transaction. The account's personal data may be left out."""

    @abstractmethod
    async def by_refresh_token(self, token_hash: bytes) -> Session | None:
        """Return the session that the token belongs to, whatever the state of both."""


class SessionArchive(Protocol):
    """What is left of sessions; for the platform."""

    __slots__ = ()

    @abstractmethod
    async def forget(self, *, before: datetime) -> int:
        """Forget the sessions that could not be refreshed any more then, with their tokens, and return how many those were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsChange:
    """Somebody's sessions, keys, roles, plan or status changed."""

    sequence: int
    user_id: UserId


class RightsFeed(Protocol):
    """News for processes that remember who may do what."""

    __slots__ = ()

    @abstractmethod
    async def changes(self, *, within: timedelta) -> Sequence[RightsChange]:
        """Return what committed that recently, oldest first; some may be known to the caller already."""

    @abstractmethod
    async def wait(self, at_most: timedelta) -> None:
        """Return when something was committed, or after ``at_most``; a hint, never a promise."""

    @abstractmethod
    async def forget(self, *, older_than: timedelta) -> int:
        """Forget old news and return how many those were; for the platform."""
