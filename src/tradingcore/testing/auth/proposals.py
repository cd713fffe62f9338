"""Contract of proposals that wait for a second person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import pytest

from tradingcore.auth.errors import ProposalNotFound
from tradingcore.auth.ports.proposals import ProposalRepository
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.kernel.proposal import Proposal
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME, outcomes


class _Unit(Protocol):
    @property
    def proposals(self) -> ProposalRepository: ...


Units = UnitOfWorkFactory[_Unit]


def a_superadmin() -> Actor:
    trace_id = TraceId(an_id().hex)
    roles = frozenset({Role.SUPERADMIN})
    return Actor.of_user(trace_id=trace_id, user_id=UserId(an_id()), roles=roles, plan=Plan.FREE, name="superadmin")


def a_proposal(by: UserId | None, **overrides: Any) -> Proposal:
    fields: dict[str, Any] = {
        "id": an_id(),
        "act": "auth.grant_role",
        "subject_id": an_id(),
        "facts": {"role": "admin"},
        "reason": "joins the support desk",
        "by": by,
        "at": MONDAY,
    }
    return Proposal.make(**(fields | overrides))


@pytest.mark.asyncio
class ProposalRepositoryContract:
    """Fixture: ``units``, serving users' own calls on an empty store, and ``platform_units`` if operators come another way."""

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the factory under test")

    @pytest.fixture
    def platform_units(self, units: Units) -> Units:
        return units

    async def test_proposal_round_trip(self, units: Units) -> None:
        first, second = a_superadmin(), a_superadmin()
        proposal = a_proposal(first.user_id)
        async with units(first) as unit:
            saved = await unit.proposals.save(proposal)
        async with units(second) as unit:
            assert await unit.proposals.get(proposal.id) == saved
            decided = await unit.proposals.save(saved.approved(by=second.user_id, at=MONDAY + HOUR))
        async with units(first) as unit:
            assert await unit.proposals.get(proposal.id) == decided

    async def test_open_ones_are_listed_oldest_first(self, units: Units) -> None:
        first, second = a_superadmin(), a_superadmin()
        made = [a_proposal(first.user_id, at=MONDAY + hour * HOUR) for hour in (2, 0, 1)]
        async with units(first) as unit:
            saved = [await unit.proposals.save(one) for one in made]
            too_old = await unit.proposals.save(a_proposal(first.user_id, at=MONDAY - timedelta(days=30)))
        async with units(second) as unit:
            await unit.proposals.save(saved[1].rejected(by=second.user_id, at=MONDAY + 3 * HOUR))
        async with units(second) as unit:
            listed = [one.id for one in await unit.proposals.list_open(at=MONDAY + 3 * HOUR, limit=10)]
            assert listed == [made[2].id, made[0].id]
            assert too_old.id not in listed
            assert len(await unit.proposals.list_open(at=MONDAY + 3 * HOUR, limit=1)) == 1

    async def test_whoever_manages_no_roles_sees_only_the_own_ones(self, units: Units) -> None:
        boss = a_superadmin()
        trace_id, roles = TraceId(an_id().hex), frozenset({Role.ADMIN})
        admin = Actor.of_user(trace_id=trace_id, user_id=UserId(an_id()), roles=roles, plan=Plan.FREE, name="admin")
        theirs, own = a_proposal(boss.user_id), a_proposal(admin.user_id)
        async with units(boss) as unit:
            await unit.proposals.save(theirs)
        async with units(admin) as unit:
            await unit.proposals.save(own)
            assert [one.id for one in await unit.proposals.list_open(at=MONDAY, limit=10)] == [own.id]
            with pytest.raises(ProposalNotFound):
                await unit.proposals.get(theirs.id)
        with pytest.raises(ProposalNotFound):
            async with units(admin) as unit:
                await unit.proposals.get(UUID(int=1))

    async def test_nobody_proposes_in_anothers_name(self, units: Units) -> None:
        with pytest.raises(ProposalNotFound):
            async with units(a_superadmin()) as unit:
                await unit.proposals.save(a_proposal(UserId(an_id())))

    async def test_operator_proposes_and_decides_as_nobody(self, platform_units: Units) -> None:
        proposal = a_proposal(None)
        async with platform_units(an_actor()) as unit:
            saved = await unit.proposals.save(proposal)
        async with platform_units(an_actor()) as unit:
            await unit.proposals.save(saved.approved(by=None, at=MONDAY))
            assert (await unit.proposals.get(proposal.id)).decided_by is None

    async def test_of_concurrent_deciders_one_wins(self, units: Units) -> None:
        first = a_superadmin()
        async with units(first) as unit:
            saved = await unit.proposals.save(a_proposal(first.user_id))

        async def decide() -> None:
            second = a_superadmin()
            async with units(second) as unit:
                await unit.proposals.save(saved.approved(by=second.user_id, at=MONDAY))

        won, errors = await outcomes(*(decide() for _ in range(AT_A_TIME)))
        assert won == 1
        assert {type(error) for error in errors} == {StaleVersion}
