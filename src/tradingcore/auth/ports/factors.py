"""Second factors of an account, the challenges that ask for them, and the devices that are not asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradingcore.auth.ids import ChallengeId, TrustedDeviceId
from tradingcore.auth.model.backup_code import BackupCode
from tradingcore.auth.model.challenge import Challenge
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.passkeys import Passkeys
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.authz import UserId


class TotpFactors(Protocol):
    """At most one authenticator of each user. Rows of others do not exist: they are not found, and changing them changes nothing.

    What is changed conditionally is changed by one statement: of concurrent callers one is told ``True``. The others are told
    ``False``, or their unit of work raises `StaleVersion` when it ends.
    """

    __slots__ = ()

    @abstractmethod
    async def find(self, user_id: UserId) -> TotpFactor | None: ...

    @abstractmethod
    async def secret_of(self, user_id: UserId) -> bytes | None:
        """Return the secret itself, which no other read gives."""

    @abstractmethod
    async def enrol(self, factor: TotpFactor, secret: bytes) -> bool:
        """Store an unconfirmed factor in place of one that was not confirmed either; ``False`` when a confirmed one is there."""

    @abstractmethod
    async def confirm(self, user_id: UserId, *, step: int, at: datetime) -> bool:
        """Confirm it and take ``step``; ``False`` when there is nothing to confirm."""

    @abstractmethod
    async def take_step(self, user_id: UserId, step: int) -> bool:
        """Accept a step of a confirmed factor; ``False`` when it or a later one was accepted before."""

    @abstractmethod
    async def remove(self, user_id: UserId) -> bool: ...


class BackupCodes(Protocol):
    """The set of codes of each user."""

    __slots__ = ()

    @abstractmethod
    async def replace(self, user_id: UserId, codes: Sequence[BackupCode]) -> None:
        """Store a new set and end the old one, used or not. An empty set leaves none."""

    @abstractmethod
    async def burn(self, user_id: UserId, code_hash: bytes, *, at: datetime) -> bool:
        """Use a code up; ``False`` for one that is unknown or used. Of concurrent callers one wins, as with `TotpFactors`."""

    @abstractmethod
    async def count_left(self, user_id: UserId) -> int: ...


class Challenges(Protocol):
    """Open questions to each user."""

    __slots__ = ()

    @abstractmethod
    async def add(self, challenge: Challenge) -> None: ...

    @abstractmethod
    async def take_attempt(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        """Count one more attempt; ``False`` when the challenge is closed, expired or out of attempts.

        Counts exactly: however many call at once, no more than the limit are told ``True``. Nothing is told before the unit of
        work has ended well.
        """

    @abstractmethod
    async def close(self, challenge_id: ChallengeId, *, at: datetime) -> bool:
        """End it; ``False`` when it was closed or has expired. Of concurrent callers one wins, as with `TotpFactors`."""

    @abstractmethod
    async def close_all(self, user_id: UserId, *, at: datetime) -> None:
        """End what is open, because the credentials that it rests on have changed."""


class TrustedDevices(Protocol):
    """Devices of each user."""

    __slots__ = ()

    @abstractmethod
    async def add(self, device: TrustedDevice) -> None: ...

    @abstractmethod
    async def list_trusted(self, user_id: UserId, *, at: datetime) -> Sequence[TrustedDevice]:
        """Return the newest first."""

    @abstractmethod
    async def revoke(self, user_id: UserId, device_id: TrustedDeviceId, *, at: datetime) -> bool:
        """End the trust; ``False`` when there was none, also for another user's device."""

    @abstractmethod
    async def revoke_all(self, user_id: UserId, *, at: datetime) -> int: ...


class FactorUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def totp_factors(self) -> TotpFactors: ...

    @property
    @abstractmethod
    def backup_codes(self) -> BackupCodes: ...

    @property
    @abstractmethod
    def challenges(self) -> Challenges: ...

    @property
    @abstractmethod
    def trusted_devices(self) -> TrustedDevices: ...

    @property
    @abstractmethod
    def passkeys(self) -> Passkeys: ...

    @abstractmethod
    def announce(self, *events: DomainEvent) -> None:
        """Events that belong to no aggregate that is saved. They commit with the unit."""


class FactorLookup(Protocol):
    """Reads for somebody who is nobody yet. A row is shown only to whoever names the hash of a token that cannot be guessed."""

    __slots__ = ()

    @abstractmethod
    async def challenge(self, token_hash: bytes) -> Challenge | None: ...

    @abstractmethod
    async def trusted_device(self, token_hash: bytes) -> TrustedDevice | None: ...
