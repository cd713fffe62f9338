"""The two-person rule: what one person proposes, another one decides.

For acts that no one should be able to do alone: granting a role of staff, a ledger adjustment, a withdrawal above the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from tradingcore.kernel.aggregate import Aggregate
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import Conflict, FieldError, InvalidInput, RuleViolation

LIFETIME: Final = timedelta(hours=72)
LONGEST_REASON: Final = 500


class Outcome(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class SecondPersonNeeded(RuleViolation):
    """Who proposes something, and whom it is about, cannot be who approves it."""

    code = "second_person_needed"
    title = "Second person needed"


class ProposalDecided(Conflict):
    """Somebody decided it before, or its time is over."""

    code = "proposal_decided"
    title = "Proposal decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Aggregate):
    """``act`` names what is to be done (``auth.grant_role``), ``subject_id`` to whom, ``facts`` with what.

    ``proposed_by`` is ``None`` for an operator at the command line, whom the database itself has let in.
    """

    id: UUID
    act: str
    subject_id: UUID
    facts: Mapping[str, str] = field(default_factory=dict)
    reason: str
    proposed_by: UserId | None
    proposed_at: datetime
    expires_at: datetime
    outcome: Outcome | None = None
    decided_by: UserId | None = None
    decided_at: datetime | None = None

    @classmethod
    def make(
        cls,
        *,
        id: UUID,  # noqa: A002 - the field's name
        act: str,
        subject_id: UUID,
        facts: Mapping[str, str],
        reason: str,
        by: UserId | None,
        at: datetime,
    ) -> Self:
        """Raises `InvalidInput` without a reason: the second person has to know why."""
        said = reason.strip()
        if not 1 <= len(said) <= LONGEST_REASON:
            sentence = f"say why, in 1 to {LONGEST_REASON} characters: another person decides on it"
            raise InvalidInput(sentence, errors=(FieldError("/reason", "length", sentence),))
        return cls(
            id=id,
            act=act,
            subject_id=subject_id,
            facts=facts,
            reason=said,
            proposed_by=by,
            proposed_at=at,
            expires_at=at + LIFETIME,
        )

    def approved(self, *, by: UserId | None, at: datetime) -> Self:
        """Raises `SecondPersonNeeded` for the proposer and the subject, `ProposalDecided` for one that is decided or too old."""
        if by is not None and by in (self.proposed_by, self.subject_id):
            raise SecondPersonNeeded("who proposes it or gains by it cannot approve it: another person has to")
        return self._decided(Outcome.APPROVED, by=by, at=at)

    def rejected(self, *, by: UserId | None, at: datetime) -> Self:
        """The proposer takes it back this way. Raises `ProposalDecided`."""
        withdrawn = by is not None and by == self.proposed_by
        return self._decided(Outcome.WITHDRAWN if withdrawn else Outcome.REJECTED, by=by, at=at)

    def _decided(self, outcome: Outcome, *, by: UserId | None, at: datetime) -> Self:
        if self.outcome is not None:
            raise ProposalDecided(f"this was {self.outcome.value} before")
        if at >= self.expires_at:
            raise ProposalDecided("nobody decided on this in time: propose it again")
        return replace(self, outcome=outcome, decided_by=by, decided_at=at)
