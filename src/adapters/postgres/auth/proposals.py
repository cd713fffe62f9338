from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from adapters.postgres.rows.auth.proposals import outcome_to_row, proposal_from_row, proposal_to_row
from adapters.postgres.tables.auth.proposals import proposals
from adapters.postgres.unit import PostgresUnit
from tradingcore.auth.errors import ProposalNotFound
from tradingcore.auth.ports.proposals import ProposalRepository
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.proposal import Proposal


class PostgresProposalRepository(ProposalRepository):
    """Which rows exist for the actor is decided by row-level security."""

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def get(self, proposal_id: UUID) -> Proposal:
        row = (await self._unit.connection.execute(select(proposals).where(proposals.c.id == proposal_id))).one_or_none()
        if row is None:
            raise ProposalNotFound(f"there is no proposal {proposal_id}")
        return proposal_from_row(row)

    async def list_open(self, *, at: datetime, limit: int) -> Sequence[Proposal]:
        rows = await self._unit.connection.execute(
            select(proposals)
            .where(proposals.c.outcome.is_(None), proposals.c.expires_at > at)
            .order_by(proposals.c.proposed_at, proposals.c.id)
            .limit(limit)
        )
        return [proposal_from_row(row) for row in rows]

    async def save(self, proposal: Proposal) -> Proposal:
        if proposal.version == 0:
            if not self._unit.actor.is_platform and proposal.proposed_by != self._unit.actor.user_id:
                raise ProposalNotFound(f"there is no proposal {proposal.id}")
            return await self._unit.save(proposals, proposal, proposal_to_row(proposal), what=f"proposal {proposal.id}")
        saved = proposal.saved()
        statement = (
            update(proposals)
            .where(proposals.c.id == proposal.id, proposals.c.version == proposal.version)
            .values(version=saved.version, **outcome_to_row(proposal))
        )
        if (await self._unit.connection.execute(statement)).rowcount != 1:
            await self.get(proposal.id)
            raise StaleVersion(f"proposal {proposal.id} was decided by somebody else meanwhile: read it again")
        self._unit.announce(*proposal.pending_events)
        return saved
