"""What staff sees and sends. Addresses are masked in lists."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from entrypoints.http.pages import PageInfo, PageQuery
from entrypoints.http.schemas.values import IdText, Response, TimeText
from tradingcore.auth.model.account import AccountKind, AccountStatus
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.queries import UserFilter
from tradingcore.kernel.authz import Plan, Role
from tradingcore.kernel.proposal import LONGEST_REASON, Outcome


class UserQuery(PageQuery, kw_only=True):
    """A list that may be narrowed; ``email`` is the whole address."""

    email: Annotated[str, Meta(max_length=254)] | None = None
    status: AccountStatus | None = None
    role: Role | None = None
    kind: AccountKind | None = None

    def where(self) -> UserFilter:
        """Raises `InvalidInput` for what is no address."""
        email = None if self.email is None else EmailAddress.parse(self.email)
        return UserFilter(email=email, status=self.status, role=self.role, kind=self.kind)


class UserSummaryBody(Response):
    id: IdText
    kind: AccountKind
    status: AccountStatus
    masked_email: str | None
    roles: list[Role]
    plan: Plan
    created_at: TimeText


class UserPage(Response):
    data: list[UserSummaryBody]
    page: PageInfo


class UserSessionBody(Response):
    id: IdText
    device: str
    created_at: TimeText
    last_seen_at: TimeText


class UserBody(Response):
    """One account as staff sees it, its address in full: that somebody looked is in the audit trail."""

    id: IdText
    kind: AccountKind
    status: AccountStatus
    email: str | None
    is_verified: bool
    roles: list[Role]
    plan: Plan
    created_at: TimeText
    closed_at: TimeText | None
    factors: list[FactorKind]
    sessions: list[UserSessionBody]


class EndedSessionsBody(Response):
    ended: int


class RoleRequest(msgspec.Struct, forbid_unknown_fields=True):
    """``reason`` is needed where another person has to approve: when a role of staff is granted."""

    action: Literal["grant", "revoke"]
    role: Role
    reason: Annotated[str, Meta(max_length=LONGEST_REASON)] = ""


class PlanRequest(msgspec.Struct, forbid_unknown_fields=True):
    plan: Plan


class RightsBody(Response):
    """Roles and plan as they are now. ``proposal`` waits for a second person, and nothing has changed until then."""

    id: IdText
    roles: list[Role]
    plan: Plan
    proposal: IdText | None = None


class ProposalBody(Response):
    id: IdText
    act: str
    subject_id: IdText
    facts: dict[str, str]
    reason: str
    proposed_by: IdText | None
    proposed_at: TimeText
    expires_at: TimeText
    outcome: Outcome | None


class ProposalList(Response):
    data: list[ProposalBody]


class ProposalDecision(msgspec.Struct, forbid_unknown_fields=True):
    approve: bool
