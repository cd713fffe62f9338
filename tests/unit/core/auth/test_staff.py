"""What staff may do with accounts of others, and what takes two people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.memory.auth.directory import MemoryUserDirectory
from tests.asvs import asvs
from tests.unit.core.auth.accounts_world import AccountsWorld
from tradingcore.auth.errors import AccountDisabled, AccountNotFound, AddressTaken, PasswordRefused, ProposalNotFound
from tradingcore.auth.model.account import AccountStatus, UserAccount
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.use_cases.change_address import RequestAddressChangeCommand
from tradingcore.auth.use_cases.changing_rights import Rights
from tradingcore.auth.use_cases.create_user import CreateUser, CreateUserCommand
from tradingcore.auth.use_cases.manage_proposals import DecideProposal, DecideProposalCommand, ListProposals, ListProposalsCommand
from tradingcore.auth.use_cases.manage_roles import GrantRole, GrantRoleCommand, RevokeRole, RevokeRoleCommand
from tradingcore.auth.use_cases.manage_users import (
    EndUserSessions,
    EndUserSessionsCommand,
    ReinstateUser,
    ReinstateUserCommand,
    SearchUsers,
    SearchUsersCommand,
    SuspendUser,
    SuspendUserCommand,
)
from tradingcore.auth.use_cases.set_plan import SetPlan, SetPlanCommand
from tradingcore.kernel.aggregate import AuditedEvent
from tradingcore.kernel.authz import Actor, Assurance, Plan, Role, UserId
from tradingcore.kernel.errors import InvalidInput, PermissionDenied, StepUpRequired
from tradingcore.kernel.proposal import Outcome, Proposal, ProposalDecided, SecondPersonNeeded
from tradingcore.testing.auth.builders import PASSWORD, an_account, the_owner_of
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import SequentialIds


@dataclass
class Office:
    world: AccountsWorld = field(default_factory=AccountsWorld)

    def __post_init__(self) -> None:
        world = self.world
        shared: dict[str, Any] = {"uow": world.uow, "clock": world.clock}
        rights = Rights(mailer=world.mailer, clock=world.clock)
        self.suspend = SuspendUser(**shared, mailer=world.mailer)
        self.reinstate = ReinstateUser(**shared)
        self.end_sessions = EndUserSessions(**shared)
        self.search = SearchUsers(directory=MemoryUserDirectory(world.database))
        self.grant = GrantRole(**shared, rights=rights, ids=SequentialIds(1 << 44))
        self.revoke = RevokeRole(uow=world.uow, rights=rights)
        self.set_plan = SetPlan(uow=world.uow, rights=rights)
        self.list_proposals = ListProposals(**shared)
        self.decide = DecideProposal(**shared, rights=rights)
        self.create = CreateUser(**shared, lookup=world.lookup, passwords=world.passwords, ids=SequentialIds(1 << 45))

    async def hire(self, *roles: Role, **overrides: Any) -> UserAccount:
        account = an_account(roles=frozenset(roles), **overrides)
        async with self.world.uow(an_actor()) as unit:
            return await unit.accounts.save(account)

    async def at_desk(self, *roles: Role) -> Actor:
        return at_desk_of(await self.hire(*roles))

    def stored(self, account: UserAccount) -> UserAccount:
        return self.world.database.user_accounts.rows[account.id]

    def audited(self) -> list[tuple[str, UserId | None, UserId | None]]:
        trail = [(one.event, actor) for one, actor, _ in self.world.database.audit]
        return [(event.type, event.user_id, actor.acting_user_id) for event, actor in trail if isinstance(event, AuditedEvent)]


def at_desk_of(account: UserAccount) -> Actor:
    """A session that was opened a moment ago, with two factors."""
    return replace(the_owner_of(account), assurance=Assurance.AAL2, authentication_age=timedelta(seconds=1))


@asvs("8.2.1", "7.4.2")
async def test_a_suspended_account_is_out_at_once_and_told() -> None:
    office = Office()
    admin, customer = await office.at_desk(Role.ADMIN), await office.hire(Role.TRADER)
    frozen = await office.suspend(admin, SuspendUserCommand(user_id=customer.id))
    assert (frozen.status, frozen.rights_version) == (AccountStatus.FROZEN, customer.rights_version + 1)
    assert ("auth.account_frozen", customer.id, admin.user_id) in office.audited()
    again = await office.suspend(admin, SuspendUserCommand(user_id=customer.id))
    assert again.version == frozen.version
    opened = await office.reinstate(admin, ReinstateUserCommand(user_id=customer.id))
    assert opened.status is AccountStatus.ACTIVE


@asvs("7.4.5")
@pytest.mark.parametrize("is_suspended", [True, False])
async def test_ending_an_accounts_sessions_ends_the_change_of_address_they_began(*, is_suspended: bool) -> None:
    office = Office()
    admin, customer = await office.at_desk(Role.ADMIN), await office.hire(Role.TRADER)
    await office.world.ask_change(at_desk_of(customer), RequestAddressChangeCommand(email="thief@example.org"))
    await office.world.settle()
    assert office.world.open_tokens(customer.id) == [TokenPurpose.CHANGE_ADDRESS]
    if is_suspended:
        await office.suspend(admin, SuspendUserCommand(user_id=customer.id))
    else:
        await office.end_sessions(admin, EndUserSessionsCommand(user_id=customer.id))
    assert office.world.open_tokens(customer.id) == []


@asvs("8.2.1")
async def test_no_role_manages_one_above_or_itself() -> None:
    office = Office()
    admin, superadmin = await office.hire(Role.ADMIN), await office.hire(Role.SUPERADMIN)
    for subject in (admin, superadmin, await office.hire(Role.ADMIN)):
        for attempt in (
            office.suspend(at_desk_of(admin), SuspendUserCommand(user_id=subject.id)),
            office.reinstate(at_desk_of(admin), ReinstateUserCommand(user_id=subject.id)),
            office.end_sessions(at_desk_of(admin), EndUserSessionsCommand(user_id=subject.id)),
        ):
            with pytest.raises(PermissionDenied):
                await attempt
        assert office.stored(subject).status is AccountStatus.ACTIVE
    with pytest.raises(PermissionDenied, match="own account"):
        await office.suspend(at_desk_of(superadmin), SuspendUserCommand(user_id=superadmin.id))
    assert (await office.suspend(at_desk_of(superadmin), SuspendUserCommand(user_id=admin.id))).status is AccountStatus.FROZEN


@asvs("7.5.3")
async def test_managing_accounts_needs_a_recent_session_with_two_factors() -> None:
    office = Office()
    admin, customer = await office.at_desk(Role.ADMIN), await office.hire(Role.TRADER)
    old = replace(admin, authentication_age=timedelta(minutes=6))
    weak = replace(admin, assurance=Assurance.AAL1)
    for caller in (old, weak):
        with pytest.raises(StepUpRequired):
            await office.suspend(caller, SuspendUserCommand(user_id=customer.id))
    assert FactorPolicy().requires(frozenset({Role.ADMIN}))


async def test_unknown_and_closed_accounts_are_told_apart_for_staff_only() -> None:
    office = Office()
    admin = await office.at_desk(Role.ADMIN)
    with pytest.raises(AccountNotFound):
        await office.suspend(admin, SuspendUserCommand(user_id=UserId(an_id())))
    closed = (await office.hire(Role.TRADER)).closed(at=office.world.clock.now())
    async with office.world.uow(an_actor()) as unit:
        await unit.accounts.save(closed)
    with pytest.raises(AccountDisabled):
        await office.suspend(admin, SuspendUserCommand(user_id=closed.id))
    with pytest.raises(AccountDisabled):
        await office.grant(await office.at_desk(Role.SUPERADMIN), GrantRoleCommand(user_id=closed.id, role=Role.INVESTOR))
    assert office.stored(closed).roles == {Role.TRADER}
    with pytest.raises(PermissionDenied):
        await office.search(await office.at_desk(Role.TRADER), SearchUsersCommand())


@asvs("2.3.5", "8.2.1")
async def test_a_role_of_staff_takes_two_people() -> None:
    office = Office()
    first, second = await office.at_desk(Role.SUPERADMIN), await office.at_desk(Role.SUPERADMIN)
    customer = await office.hire(Role.TRADER)
    command = GrantRoleCommand(user_id=customer.id, role=Role.ADMIN, reason="joins the support desk")
    proposal = await office.grant(first, command)
    assert isinstance(proposal, Proposal)
    assert office.stored(customer).roles == {Role.TRADER}
    with pytest.raises(SecondPersonNeeded):
        await office.decide(first, DecideProposalCommand(proposal_id=proposal.id, is_approved=True))
    assert office.stored(customer).roles == {Role.TRADER}
    assert [one.id for one in await office.list_proposals(second, ListProposalsCommand())] == [proposal.id]
    decided = await office.decide(second, DecideProposalCommand(proposal_id=proposal.id, is_approved=True))
    assert (decided.outcome, decided.decided_by) == (Outcome.APPROVED, second.user_id)
    assert office.stored(customer).roles == {Role.TRADER, Role.ADMIN}
    assert ("auth.rights_changed", customer.id, second.user_id) in office.audited()
    with pytest.raises(ProposalDecided):
        await office.decide(second, DecideProposalCommand(proposal_id=proposal.id, is_approved=True))


@asvs("2.2.3")
async def test_a_rejected_proposal_changes_nothing() -> None:
    office = Office()
    first, second = await office.at_desk(Role.SUPERADMIN), await office.at_desk(Role.SUPERADMIN)
    customer = await office.hire(Role.TRADER)
    proposal = await office.grant(first, GrantRoleCommand(user_id=customer.id, role=Role.SUPERADMIN, reason="why not"))
    assert isinstance(proposal, Proposal)
    await office.decide(second, DecideProposalCommand(proposal_id=proposal.id, is_approved=False))
    assert office.stored(customer).roles == {Role.TRADER}
    with pytest.raises(InvalidInput, match="say why"):
        await office.grant(first, GrantRoleCommand(user_id=customer.id, role=Role.ADMIN))


async def test_an_admin_grants_nothing_and_decides_nothing() -> None:
    office = Office()
    admin, boss = await office.at_desk(Role.ADMIN), await office.at_desk(Role.SUPERADMIN)
    customer = await office.hire(Role.TRADER)
    proposal = await office.grant(boss, GrantRoleCommand(user_id=customer.id, role=Role.ADMIN, reason="helps out"))
    assert isinstance(proposal, Proposal)
    with pytest.raises(PermissionDenied):
        await office.decide(admin, DecideProposalCommand(proposal_id=proposal.id, is_approved=True))
    with pytest.raises(PermissionDenied):
        await office.grant(admin, GrantRoleCommand(user_id=customer.id, role=Role.TRADER))
    with pytest.raises(ProposalNotFound):
        await office.decide(boss, DecideProposalCommand(proposal_id=an_id(), is_approved=True))


async def test_customers_roles_and_plans_change_at_once_and_the_owner_is_told() -> None:
    office = Office()
    boss, customer = await office.at_desk(Role.SUPERADMIN), await office.hire(Role.STUDENT)
    granted = await office.grant(boss, GrantRoleCommand(user_id=customer.id, role=Role.TRADER))
    assert isinstance(granted, UserAccount)
    assert granted.roles == {Role.STUDENT, Role.TRADER}
    assert (await office.set_plan(boss, SetPlanCommand(user_id=customer.id, plan=Plan.PRO))).plan is Plan.PRO
    revoked = await office.revoke(boss, RevokeRoleCommand(user_id=customer.id, role=Role.STUDENT))
    assert revoked.roles == {Role.TRADER}
    assert revoked.rights_version == customer.rights_version + 3
    with pytest.raises(InvalidInput, match="at least one role"):
        await office.revoke(boss, RevokeRoleCommand(user_id=customer.id, role=Role.TRADER))
    told = [mail for mail in await office.world.settle() if mail.template == "role_changed"]
    assert [mail.values["roles"] for mail in told] == ["student, trader", "student, trader", "trader"]


async def test_an_operator_makes_the_first_superadmin() -> None:
    office = Office()
    command = CreateUserCommand(email="Boss@example.org", password=PASSWORD, roles=frozenset({Role.SUPERADMIN}))
    made = await office.create(an_actor(), command)
    assert (made.is_verified, made.status) == (True, AccountStatus.ACTIVE)
    with pytest.raises(AddressTaken):
        await office.create(an_actor(), command)
    with pytest.raises(PasswordRefused):
        await office.create(an_actor(), replace(command, email="other@example.org", password="x" * 11))
    with pytest.raises(PermissionDenied):
        await office.create(await office.at_desk(Role.SUPERADMIN), replace(command, email="third@example.org"))
