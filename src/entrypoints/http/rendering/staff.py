from __future__ import annotations

from entrypoints.http.schemas.staff import ProposalBody, UserBody, UserSessionBody, UserSummaryBody
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.use_cases.manage_users import UserDetails
from tradingcore.kernel.proposal import Proposal
from tradingcore.processes.wire import rfc3339


def masked(email: EmailAddress | None) -> str | None:
    """Enough to tell two accounts apart: ``a…@example.org``."""
    if email is None:
        return None
    local, _, domain = email.text.rpartition("@")
    return f"{local[0]}…@{domain}"


def user_summary(account: UserAccount) -> UserSummaryBody:
    return UserSummaryBody(
        id=str(account.id),
        kind=account.kind,
        status=account.status,
        masked_email=masked(account.email),
        roles=sorted(account.roles),
        plan=account.plan,
        created_at=rfc3339(account.created_at),
    )


def user_body(details: UserDetails) -> UserBody:
    account = details.account
    return UserBody(
        id=str(account.id),
        kind=account.kind,
        status=account.status,
        email=None if account.email is None else account.email.text,
        is_verified=account.is_verified,
        roles=sorted(account.roles),
        plan=account.plan,
        created_at=rfc3339(account.created_at),
        closed_at=None if account.closed_at is None else rfc3339(account.closed_at),
        factors=sorted(details.factors),
        sessions=[
            UserSessionBody(
                id=str(session.id),
                device=session.device_label,
                created_at=rfc3339(session.created_at),
                last_seen_at=rfc3339(session.last_seen_at),
            )
            for session in details.sessions
        ],
    )


def proposal_body(proposal: Proposal) -> ProposalBody:
    return ProposalBody(
        id=str(proposal.id),
        act=proposal.act,
        subject_id=str(proposal.subject_id),
        facts=dict(proposal.facts),
        reason=proposal.reason,
        proposed_by=None if proposal.proposed_by is None else str(proposal.proposed_by),
        proposed_at=rfc3339(proposal.proposed_at),
        expires_at=rfc3339(proposal.expires_at),
        outcome=proposal.outcome,
    )
