"""Identity providers, the identities that they have proven, and the sign-ins that are under way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tradingcore.auth.ids import IdentityId
from tradingcore.auth.model.identity import Identity, ProvenIdentity, Provider
from tradingcore.auth.model.oauth_flow import FlowProofs, FlowStage, OAuthFlow, ProviderAnswer
from tradingcore.kernel.authz import UserId


class IdentityProvider(Protocol):
    """One provider, over OAuth 2.0 or OpenID Connect. What it must be told, and how far it is believed, is the adapter's to know.

    Calls go outside: never inside a unit of work. Nothing of what the provider hands out is kept.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> Provider: ...

    @property
    @abstractmethod
    def title(self) -> str:
        """Return its name as people read it."""

    @property
    @abstractmethod
    def proves_presence(self) -> bool:
        """Whether it can be made to ask the person again, and says when it did; what a step-up needs."""

    @abstractmethod
    async def authorization_url(self, proofs: FlowProofs, *, is_fresh: bool = False) -> str:
        """Return where the browser goes; ``is_fresh`` makes the person sign in again there. Raises `Unavailable`."""

    @abstractmethod
    async def identify(self, answer: ProviderAnswer, proofs: FlowProofs) -> ProvenIdentity:
        """Redeem the answer. Raises `IdentityRefused` when it proves nothing, `Unavailable` when the provider cannot be asked."""


class DeletionRequests(Protocol):
    """Requests by which a provider has somebody's data deleted."""

    __slots__ = ()

    @abstractmethod
    def subject_of(self, signed_request: str, *, at: datetime) -> str:
        """Return whose data is to go. Raises `IdentityRefused` for a request that is not the provider's own, or an old one."""

    @abstractmethod
    def confirmation_of(self, subject: str, *, at: datetime) -> str:
        """Return a code that proves later that the request was carried out at ``at``."""

    @abstractmethod
    def confirmed_at(self, confirmation: str) -> datetime | None:
        """Return when the request of a code was carried out; ``None`` for a code that is not ours."""


class IdentityRepository(Protocol):
    """Which rows exist for the actor: its own, and all for the platform."""

    __slots__ = ()

    @abstractmethod
    async def get(self, identity_id: IdentityId) -> Identity:
        """Raise `IdentityNotFound`, also for another user's identity."""

    @abstractmethod
    async def list_of(self, user_id: UserId) -> Sequence[Identity]:
        """Return the oldest first."""

    @abstractmethod
    async def save(self, identity: Identity) -> Identity:
        """Insert it. Raises `StaleVersion` when (provider, subject) is linked already, to whomever."""

    @abstractmethod
    async def delete(self, identity: Identity) -> None:
        """Raise `IdentityNotFound` when it is gone already, also for another user's."""

    @abstractmethod
    async def delete_all(self, user_id: UserId) -> int:
        """Delete those of one user and return how many those were."""


class IdentityLookup(Protocol):
    """Finds the owner for somebody who is nobody yet: whoever names a provider's subject has proven to be it."""

    __slots__ = ()

    @abstractmethod
    async def owner_of(self, provider: Provider, subject: str) -> UserId | None: ...


class OAuthFlowRepository(Protocol):
    """Flows, found by the hash of their one-time key only.

    Each step is one conditional statement: of concurrent callers one takes it. The others are told ``None``, or their unit of work
    raises `StaleVersion` when it ends.
    """

    __slots__ = ()

    @abstractmethod
    async def add(self, flow: OAuthFlow) -> None:
        """Insert it. A flow that has a user is begun by that user: `PermissionDenied` for others."""

    @abstractmethod
    async def find(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        """Return what `take` would, and leave it."""

    @abstractmethod
    async def take(self, key_hash: bytes, stage: FlowStage, *, browser_hash: bytes, at: datetime) -> OAuthFlow | None:
        """Delete and return it; ``None`` (and nothing is deleted) for another stage, another browser, or one that expired."""

    @abstractmethod
    async def forget_expired(self, *, at: datetime) -> int:
        """Delete what expired and return how many those were; for the platform."""


class IdentityUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def identities(self) -> IdentityRepository: ...

    @property
    @abstractmethod
    def oauth_flows(self) -> OAuthFlowRepository: ...
