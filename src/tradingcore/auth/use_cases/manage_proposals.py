"""What one person proposed and another one decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from tradingcore.auth.events import ProposalDecidedOn
from tradingcore.auth.use_cases.changing_rights import GRANT_ROLE, Rights, RoleUnitOfWork
from tradingcore.auth.use_cases.manage_users import RECENT_AND_SURE
from tradingcore.kernel.authz import Actor, Permission, Role, StepUp, UserId
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.proposal import Proposal
from tradingcore.kernel.use_case import UseCase

MOST_PROPOSALS: Final = 200


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
