from __future__ import annotations

from typing import Any
from uuid import UUID

import rich_click as click

from entrypoints.cli.console import Session, command_body
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.use_cases.manage_proposals import DecideProposalCommand, ListProposalsCommand
from tradingcore.auth.use_cases.manage_roles import GrantRoleCommand, RevokeRoleCommand
from tradingcore.auth.use_cases.set_plan import SetPlanCommand
from tradingcore.kernel.authz import Plan, Role, UserId
from tradingcore.kernel.permissions import CAPABILITIES, PLAN_SCOPES
from tradingcore.kernel.proposal import Proposal

ROLE = click.Choice([role.value for role in Role])


@click.group()
def roles() -> None:
    """Who may do what; grant and revoke roles, set plans, decide on proposals."""


@roles.command("list")
@command_body
async def list_roles(session: Session) -> None:
    """The capability table: what each role may do, and what each plan unlocks of it."""
    rows = [(row.title, *(" ".join(sorted(row.of(role))) or "-" for role in Role)) for row in CAPABILITIES]
    if session.is_json:
        session.document(
            {
                "roles": {role.value: sorted({item for row in CAPABILITIES for item in row.of(role)}) for role in Role},
                "plans": {plan.value: sorted(PLAN_SCOPES[plan]) for plan in Plan},
            }
        )
        return
    session.table(("capability", *(role.value for role in Role)), rows)
    session.table(("plan", "unlocks"), [(plan.value, " ".join(sorted(PLAN_SCOPES[plan]))) for plan in Plan])


@roles.command()
@click.argument("user_id", type=click.UUID)
@click.argument("role", type=ROLE)
@command_body
async def grant(session: Session, user_id: UUID, role: str) -> None:
    """Give a role. An operator needs no second person: the database itself let the command in."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        granted = await container.grant_role()(actor, GrantRoleCommand(user_id=UserId(user_id), role=Role(role)))
    assert isinstance(granted, UserAccount), "an operator needs no second person"
    _say(session, granted)


@roles.command()
@click.argument("user_id", type=click.UUID)
@click.argument("role", type=ROLE)
@command_body
async def revoke(session: Session, user_id: UUID, role: str) -> None:
    """Take a role away."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        account = await container.revoke_role()(actor, RevokeRoleCommand(user_id=UserId(user_id), role=Role(role)))
    _say(session, account)


@roles.command("set-plan")
@click.argument("user_id", type=click.UUID)
@click.argument("plan", type=click.Choice([plan.value for plan in Plan]))
@command_body
async def set_plan(session: Session, user_id: UUID, plan: str) -> None:
    """Put an account on a plan."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        account = await container.set_plan()(actor, SetPlanCommand(user_id=UserId(user_id), plan=Plan(plan)))
    _say(session, account)


@roles.command()
@command_body
async def proposals(session: Session) -> None:
    """What waits for a second person."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        found = await container.list_proposals()(actor, ListProposalsCommand())
    if session.is_json:
        session.document([_proposal(one) for one in found])
    else:
        session.table(("id", "act", "subject", "facts", "reason", "by", "until"), [tuple(_proposal(one).values()) for one in found])


@roles.command()
@click.argument("proposal_id", type=click.UUID)
@click.option("--approve/--reject", required=True, help="What you decide.")
@command_body
async def decide(session: Session, proposal_id: UUID, approve: bool) -> None:
    """Decide on a proposal, as the operator."""
    from entrypoints.cli.operator import operator

    async with operator(session) as (container, actor):
        command = DecideProposalCommand(proposal_id=proposal_id, is_approved=approve)
        decided = await container.decide_proposal()(actor, command)
    if session.is_json:
        session.document({"id": str(decided.id), "outcome": decided.outcome})
    else:
        click.echo(f"{decided.outcome} {decided.id}")


def _say(session: Session, account: UserAccount) -> None:
    held = sorted(role.value for role in account.roles)
    if session.is_json:
        session.document({"id": str(account.id), "roles": held, "plan": account.plan.value})
    else:
        click.echo(f"{account.id} has {', '.join(held)} on plan {account.plan}")


def _proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": str(proposal.id),
        "act": proposal.act,
        "subject_id": str(proposal.subject_id),
        "facts": ",".join(f"{name}={value}" for name, value in sorted(proposal.facts.items())),
        "reason": proposal.reason,
        "proposed_by": "operator" if proposal.proposed_by is None else str(proposal.proposed_by),
        "expires_at": proposal.expires_at.isoformat(timespec="seconds"),
    }
