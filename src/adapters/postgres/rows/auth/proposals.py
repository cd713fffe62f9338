from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from tradingcore.kernel.authz import UserId
from tradingcore.kernel.proposal import Outcome, Proposal


def proposal_to_row(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": proposal.id,
        "act": proposal.act,
        "subject_id": proposal.subject_id,
        "facts": dict(proposal.facts),
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at,
        "expires_at": proposal.expires_at,
        **outcome_to_row(proposal),
    }


def outcome_to_row(proposal: Proposal) -> dict[str, Any]:
    """What deciding changes, which is all that the roles may change."""
    return {"outcome": proposal.outcome, "decided_by": proposal.decided_by, "decided_at": proposal.decided_at}


def proposal_from_row(row: Row[Any]) -> Proposal:
    return Proposal(
        version=row.version,
        id=row.id,
        act=row.act,
        subject_id=row.subject_id,
        facts=row.facts,
        reason=row.reason,
        proposed_by=None if row.proposed_by is None else UserId(row.proposed_by),
        proposed_at=row.proposed_at,
        expires_at=row.expires_at,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        decided_by=None if row.decided_by is None else UserId(row.decided_by),
        decided_at=row.decided_at,
    )
