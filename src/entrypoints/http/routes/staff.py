from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.inputs import FromBody, FromQuery
from entrypoints.http.openapi import described
from entrypoints.http.pages import Paging
from entrypoints.http.rendering.staff import proposal_body, user_body, user_summary
from entrypoints.http.schemas.staff import (
    EndedSessionsBody,
    PlanRequest,
    ProposalBody,
    ProposalDecision,
    ProposalList,
    RightsBody,
    RoleRequest,
    UserBody,
    UserPage,
    UserQuery,
    UserSummaryBody,
)
from tradingcore.auth.errors import AccountDisabled, AccountNotFound, ProposalNotFound
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.use_cases.manage_proposals import DecideProposal, DecideProposalCommand, ListProposals, ListProposalsCommand
from tradingcore.auth.use_cases.manage_roles import GrantRole, GrantRoleCommand, RevokeRole, RevokeRoleCommand
from tradingcore.auth.use_cases.manage_users import (
    EndUserSessions,
    EndUserSessionsCommand,
    GetUser,
    GetUserCommand,
    ReinstateUser,
    ReinstateUserCommand,
    ResetUserFactors,
    ResetUserFactorsCommand,
    SearchUsers,
    SearchUsersCommand,
    SuspendUser,
    SuspendUserCommand,
)
from tradingcore.auth.use_cases.set_plan import SetPlan, SetPlanCommand
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.errors import StaleVersion, StepUpRequired
from tradingcore.kernel.proposal import Proposal, ProposalDecided, SecondPersonNeeded

_STEPPED_UP = (AccountNotFound, StepUpRequired, StaleVersion)


@get(
    "/users",
    operation_id="searchUsers",
    summary="Accounts, newest first",
    description="Addresses are masked; `email` finds by the whole address.",
    dependencies={"parameters": FromQuery(UserQuery)},
)
async def search_users_handler(
    actor: NamedDependency[Actor],
    parameters: NamedDependency[UserQuery],
    paging: NamedDependency[Paging],
    search_users: NamedDependency[SearchUsers],
) -> Response[UserPage]:
    page = await search_users(actor, SearchUsersCommand(where=parameters.where(), page=paging.request(parameters)))
    return paging.answer(
        parameters, page, lambda accounts, info: UserPage(data=[user_summary(account) for account in accounts], page=info)
    )


@get(
    "/users/{user_id:uuid}",
    operation_id="getUser",
    summary="One account, with its sessions and factors",
    description="Shows the address in full, and writes into the audit trail that you looked.",
    opt=described(raises=(AccountNotFound,)),
)
async def get_user_handler(user_id: FromPath[UUID], actor: NamedDependency[Actor], get_user: NamedDependency[GetUser]) -> UserBody:
    return user_body(await get_user(actor, GetUserCommand(user_id=UserId(user_id))))


@post(
    "/users/{user_id:uuid}/suspension",
    operation_id="suspendUser",
    summary="Freeze an account: its sessions end and its keys rest",
    status_code=HTTPStatus.OK,
    opt=described(raises=(*_STEPPED_UP, AccountDisabled)),
)
async def suspend_user_handler(
    user_id: FromPath[UUID], actor: NamedDependency[Actor], suspend_user: NamedDependency[SuspendUser]
) -> UserSummaryBody:
    return user_summary(await suspend_user(actor, SuspendUserCommand(user_id=UserId(user_id))))


@delete(
    "/users/{user_id:uuid}/suspension",
    operation_id="reinstateUser",
    summary="Open a frozen account again",
    status_code=HTTPStatus.OK,
    opt=described(raises=_STEPPED_UP),
)
async def reinstate_user_handler(
    user_id: FromPath[UUID], actor: NamedDependency[Actor], reinstate_user: NamedDependency[ReinstateUser]
) -> UserSummaryBody:
    return user_summary(await reinstate_user(actor, ReinstateUserCommand(user_id=UserId(user_id))))


@delete(
    "/users/{user_id:uuid}/sessions",
    operation_id="endUserSessions",
    summary="End every session of an account",
    status_code=HTTPStatus.OK,
    opt=described(raises=(AccountNotFound,)),
)
async def end_user_sessions_handler(
    user_id: FromPath[UUID], actor: NamedDependency[Actor], end_user_sessions: NamedDependency[EndUserSessions]
) -> EndedSessionsBody:
    return EndedSessionsBody(ended=await end_user_sessions(actor, EndUserSessionsCommand(user_id=UserId(user_id))))


@delete(
    "/users/{user_id:uuid}/factors",
    operation_id="resetFactors",
    summary="Take every second factor away from somebody who has lost them",
    opt=described(raises=_STEPPED_UP),
)
async def reset_factors_handler(
    user_id: FromPath[UUID], actor: NamedDependency[Actor], reset_user_factors: NamedDependency[ResetUserFactors]
) -> None:
    await reset_user_factors(actor, ResetUserFactorsCommand(user_id=UserId(user_id)))


@post(
    "/users/{user_id:uuid}/roles",
    operation_id="changeRoles",
    summary="Grant or revoke a role",
    description="Granting a role of staff takes two people: the answer names the proposal, and another superadmin decides on it.",
    status_code=HTTPStatus.OK,
    dependencies={"content": FromBody(RoleRequest)},
    opt=described(raises=(*_STEPPED_UP, AccountDisabled)),
)
async def change_roles_handler(
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    content: NamedDependency[RoleRequest],
    grant_role: NamedDependency[GrantRole],
    revoke_role: NamedDependency[RevokeRole],
    get_user: NamedDependency[GetUser],
) -> RightsBody:
    subject = UserId(user_id)
    if content.action == "revoke":
        return _rights(await revoke_role(actor, RevokeRoleCommand(user_id=subject, role=content.role)))
    granted = await grant_role(actor, GrantRoleCommand(user_id=subject, role=content.role, reason=content.reason))
    if isinstance(granted, Proposal):
        details = await get_user(actor, GetUserCommand(user_id=subject))
        return _rights(details.account, granted)
    return _rights(granted)


def _rights(account: UserAccount, proposal: Proposal | None = None) -> RightsBody:
    waiting = None if proposal is None else str(proposal.id)
    return RightsBody(id=str(account.id), roles=sorted(account.roles), plan=account.plan, proposal=waiting)


@put(
    "/users/{user_id:uuid}/plan",
    operation_id="setPlan",
    summary="Put an account on a plan",
    dependencies={"content": FromBody(PlanRequest)},
    opt=described(raises=(*_STEPPED_UP, AccountDisabled)),
)
async def set_plan_handler(
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    content: NamedDependency[PlanRequest],
    set_plan: NamedDependency[SetPlan],
) -> RightsBody:
    return _rights(await set_plan(actor, SetPlanCommand(user_id=UserId(user_id), plan=content.plan)))


@get("/proposals", operation_id="listProposals", summary="What waits for a second person, oldest first")
async def list_proposals_handler(actor: NamedDependency[Actor], list_proposals: NamedDependency[ListProposals]) -> ProposalList:
    return ProposalList(data=[proposal_body(one) for one in await list_proposals(actor, ListProposalsCommand())])


@post(
    "/proposals/{proposal_id:uuid}/decision",
    operation_id="decideProposal",
    summary="Approve what another person proposed, or reject it",
    description="Approving does it at once. Rejecting an own proposal takes it back.",
    status_code=HTTPStatus.OK,
    dependencies={"content": FromBody(ProposalDecision)},
    opt=described(
        raises=(
            ProposalNotFound,
            SecondPersonNeeded,
            ProposalDecided,
            AccountNotFound,
            AccountDisabled,
            StepUpRequired,
            StaleVersion,
        )
    ),
)
async def decide_proposal_handler(
    proposal_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    content: NamedDependency[ProposalDecision],
    decide_proposal: NamedDependency[DecideProposal],
) -> ProposalBody:
    command = DecideProposalCommand(proposal_id=proposal_id, is_approved=content.approve)
    return proposal_body(await decide_proposal(actor, command))


ROUTES = Router(
    "/admin",
    route_handlers=[
        search_users_handler,
        get_user_handler,
        suspend_user_handler,
        reinstate_user_handler,
        end_user_sessions_handler,
        reset_factors_handler,
        change_roles_handler,
        set_plan_handler,
        list_proposals_handler,
        decide_proposal_handler,
    ],
    tags=["admin"],
)
