"""Roles and plans. A role of staff is granted by two people: one proposes it, another one approves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol
from uuid import UUID

from tradingcore.auth.events import ProposalDecidedOn, ProposalMade
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.policies.staffing import needs_second_person, refuse_unmanageable
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.proposals import ProposalRepository
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.manage_users import RECENT_AND_SURE, name_of
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, StepUp, UserId
from tradingcore.kernel.ports import Clock, IdGenerator, UnitOfWorkFactory
from tradingcore.kernel.proposal import Proposal
from tradingcore.kernel.use_case import UseCase

GRANT_ROLE: Final = "auth.grant_role"
MOST_PROPOSALS: Final = 200


class RoleUnitOfWork(AccountUnitOfWork, Protocol):
    __slots__ = ()

    @property
    def proposals(self) -> ProposalRepository: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """How an account's roles and plan are written, with its owner told."""

    mailer: Mailer
    clock: Clock

    async def change(
        self, unit: AccountUnitOfWork, actor: Actor, account: UserAccount, *, roles: frozenset[Role], plan: Plan
    ) -> UserAccount:
        now = self.clock.now()
        changed = account.with_rights(roles=roles, plan=plan, by=name_of(actor), at=now)
        if changed is account:
            return account
        saved = await unit.accounts.save(changed)
        values = {"roles": ", ".join(sorted(role.value for role in saved.roles)), "at": now.isoformat()}
        self.mailer.request(unit, "role_changed", saved.email, saved.profile.locale, values)
        return saved


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRoleCommand:
    """``reason`` is read by the second person, and needed only where there is one."""

    user_id: UserId
    role: Role
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole(UseCase[GrantRoleCommand, UserAccount | Proposal]):
    """Give a role, or, for a role of staff, propose it to another superadmin and return the proposal.

    Raises `AccountNotFound`, `PermissionDenied`, and `InvalidInput` for a proposal without a reason.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights
    clock: Clock
    ids: IdGenerator

    async def handle(self, actor: Actor, command: GrantRoleCommand) -> UserAccount | Proposal:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            if command.role in account.roles:
                return account
            if not needs_second_person(actor, command.role):
                return await self.rights.change(unit, actor, account, roles=account.roles | {command.role}, plan=account.plan)
            now = self.clock.now()
            proposal = Proposal.make(
                id=self.ids.new_id(),
                act=GRANT_ROLE,
                subject_id=account.id,
                facts={"role": command.role.value},
                reason=command.reason,
                by=actor.user_id,
                at=now,
            )
            unit.announce(ProposalMade(occurred_at=now, user_id=account.id, proposal_id=proposal.id, act=GRANT_ROLE))
            return await unit.proposals.save(proposal)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRoleCommand:
    user_id: UserId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeRole(UseCase[RevokeRoleCommand, UserAccount]):
    """Take a role away; one person may, because it only makes things safer.

    Raises `AccountNotFound`, `PermissionDenied`, and `InvalidInput` for the last role.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights

    async def handle(self, actor: Actor, command: RevokeRoleCommand) -> UserAccount:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            return await self.rights.change(unit, actor, account, roles=account.roles - {command.role}, plan=account.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlanCommand:
    user_id: UserId
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlan(UseCase[SetPlanCommand, UserAccount]):
    """Put an account on a plan; what the old one gave and the new one does not, ends with the next request.

    Raises `AccountNotFound` and `PermissionDenied`.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights

    async def handle(self, actor: Actor, command: SetPlanCommand) -> UserAccount:
        async with self.uow(actor) as unit:
            account = await unit.accounts.get(command.user_id)
            refuse_unmanageable(actor, account)
            return await self.rights.change(unit, actor, account, roles=account.roles, plan=command.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProposalsCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProposals(UseCase[ListProposalsCommand, Sequence[Proposal]]):
    """Return what waits for a second person, oldest first."""

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ListProposalsCommand) -> Sequence[Proposal]:
        async with self.uow(actor) as unit:
            return await unit.proposals.list_open(at=self.clock.now(), limit=MOST_PROPOSALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideProposalCommand:
    proposal_id: UUID
    is_approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideProposal(UseCase[DecideProposalCommand, Proposal]):
    """Approve what another person proposed, which does it, or reject it. Rejecting the own one takes it back.

    Raises `ProposalNotFound`, `SecondPersonNeeded`, `ProposalDecided`, `StaleVersion`, `AccountNotFound`.
    """

    permission: ClassVar[Permission] = Permission.ROLES_MANAGE
    step_up: ClassVar[StepUp | None] = RECENT_AND_SURE
    uow: UnitOfWorkFactory[RoleUnitOfWork]
    rights: Rights
    clock: Clock

    async def handle(self, actor: Actor, command: DecideProposalCommand) -> Proposal:
        now = self.clock.now()
        async with self.uow(actor) as unit:
            proposal = await unit.proposals.get(command.proposal_id)
            decide = proposal.approved if command.is_approved else proposal.rejected
            decided = await unit.proposals.save(decide(by=actor.user_id, at=now))
            subject = UserId(decided.subject_id)
            if command.is_approved and decided.act == GRANT_ROLE:
                account = await unit.accounts.get(subject)
                roles = account.roles | {Role(decided.facts["role"])}
                await self.rights.change(unit, actor, account, roles=roles, plan=account.plan)
            assert decided.outcome is not None, "it was decided just now"
            unit.announce(ProposalDecidedOn(occurred_at=now, user_id=subject, proposal_id=decided.id, outcome=decided.outcome))
            return decided
