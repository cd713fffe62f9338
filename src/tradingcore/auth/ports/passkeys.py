"""Passkeys of an account, and the protocol that their authenticators speak."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.model.passkey import Passkey
from tradingcore.kernel.authz import UserId


class Passkeys(Protocol):
    """Keys of each user. Rows of others do not exist. Of concurrent callers one wins, as with `TotpFactors`."""

    __slots__ = ()

    @abstractmethod
    async def list_of(self, user_id: UserId) -> Sequence[Passkey]:
        """Return the oldest first."""

    @abstractmethod
    async def add(self, passkey: Passkey) -> bool:
        """Store it; ``False`` when its credential is known already, whoever has it."""

    @abstractmethod
    async def record_use(self, passkey: Passkey, *, sign_count: int, at: datetime) -> bool:
        """Remember the counter; ``False`` when it does not follow the stored one (`counts_up`): a copy of the key is about."""

    @abstractmethod
    async def rename(self, user_id: UserId, passkey_id: PasskeyId, label: str) -> bool: ...

    @abstractmethod
    async def remove(self, user_id: UserId, passkey_id: PasskeyId) -> bool: ...

    @abstractmethod
    async def spend(self, user_id: UserId, token_hash: bytes, *, expires_at: datetime, at: datetime) -> bool:
        """Use up the token of a ceremony; ``False`` when it was used before. What has expired is forgotten on the way."""


class PasskeyLookup(Protocol):
    """The read for somebody who is nobody yet: shows a key to whoever names its credential."""

    __slots__ = ()

    @abstractmethod
    async def by_credential(self, credential_id: bytes) -> Passkey | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedPasskey:
    """What an answer says about itself, before anything of it is proven."""

    credential_id: bytes
    user_handle: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_synced: bool


class PasskeyCeremonies(Protocol):
    """The two ceremonies of WebAuthn, for one relying party and its origins.

    Options and answers are the JSON forms of the standard (WebAuthn 3, 5.1.10). ``challenge`` is what the authenticator must have
    signed; that it is used once is for the caller. Every answer that does not hold raises `FactorRefused`, malformed ones too.
    """

    __slots__ = ()

    @abstractmethod
    def creation_options(self, *, challenge: bytes, user_id: UserId, name: str, known: Sequence[Passkey]) -> str:
        """Return options for a passkey that finds its user by itself, where it can.

        Authenticators that hold one of the known keys decline.
        """

    @abstractmethod
    def verify_creation(self, answer: str, *, challenge: bytes) -> NewCredential: ...

    @abstractmethod
    def request_options(self, *, challenge: bytes, known: Sequence[Passkey]) -> str:
        """Return options that ask one of the known keys, or with none of them any key that finds its user by itself."""

    @abstractmethod
    def presented(self, answer: str) -> PresentedPasskey: ...

    @abstractmethod
    def verify_request(self, answer: str, *, challenge: bytes, passkey: Passkey, must_verify_user: bool) -> int:
        """Return the new sign counter. ``must_verify_user``: a PIN or a fingerprint, not only a touch."""
