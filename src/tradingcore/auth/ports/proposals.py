"""Proposals that wait for a second person."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tradingcore.kernel.proposal import Proposal


class ProposalRepository(Protocol):
    """A row is visible to whoever proposed it, to whoever manages roles, to operators and to the platform."""

    __slots__ = ()

    @abstractmethod
    async def get(self, proposal_id: UUID) -> Proposal:
        """Raise `ProposalNotFound`."""

    @abstractmethod
    async def list_open(self, *, at: datetime, limit: int) -> Sequence[Proposal]:
        """Return those that nobody has decided and that are not too old, oldest first."""

    @abstractmethod
    async def save(self, proposal: Proposal) -> Proposal:
        """Insert or update. Raises `StaleVersion`, so of two who decide at once one wins."""
