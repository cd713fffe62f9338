from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from adapters.memory.database import Stored
from tradingcore.auth.errors import ProposalNotFound
from tradingcore.auth.ports.proposals import ProposalRepository
from tradingcore.kernel.authz import Permission
from tradingcore.kernel.proposal import Proposal


class MemoryProposalRepository(Stored[UUID, Proposal], ProposalRepository):
    def _may_see(self, proposal: Proposal) -> bool:
        actor = self._unit.actor
        is_own = actor.user_id is not None and proposal.proposed_by == actor.user_id
        return is_own or actor.is_platform or Permission.ROLES_MANAGE in actor.permissions

    async def get(self, proposal_id: UUID) -> Proposal:
        proposal = self._staged.find(proposal_id)
        if proposal is None or not self._may_see(proposal):
            raise ProposalNotFound(f"there is no proposal {proposal_id}")
        return proposal

    async def list_open(self, *, at: datetime, limit: int) -> Sequence[Proposal]:
        seen = [one for one in self._staged if one.outcome is None and at < one.expires_at and self._may_see(one)]
        return sorted(seen, key=lambda one: (one.proposed_at, one.id))[:limit]

    async def save(self, proposal: Proposal) -> Proposal:
        is_foreign = proposal.version == 0 and proposal.proposed_by != self._unit.actor.user_id
        if not self._may_see(proposal) or (is_foreign and not self._unit.actor.is_platform):
            raise ProposalNotFound(f"there is no proposal {proposal.id}")
        return await super().save(proposal)
