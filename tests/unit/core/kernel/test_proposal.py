"""The two-person rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.proposal import LIFETIME, LONGEST_REASON, Outcome, ProposalDecided, SecondPersonNeeded
from tradingcore.testing.auth.proposals import a_proposal
from tradingcore.testing.builders import HOUR, MONDAY, an_id

people = st.sampled_from([UserId(an_id()) for _ in range(3)])


@asvs("2.3.5")
@given(proposer=people, subject=people, decider=people)
def test_nobody_approves_what_is_their_own_doing_or_gain(proposer: UserId, subject: UserId, decider: UserId) -> None:
    proposal = a_proposal(proposer, subject_id=subject)
    if decider in (proposer, subject):
        with pytest.raises(SecondPersonNeeded):
            proposal.approved(by=decider, at=MONDAY)
    else:
        assert proposal.approved(by=decider, at=MONDAY).outcome is Outcome.APPROVED


def test_whoever_proposed_it_takes_it_back_and_another_rejects_it() -> None:
    me = UserId(an_id())
    assert a_proposal(me).rejected(by=me, at=MONDAY).outcome is Outcome.WITHDRAWN
    assert a_proposal(me).rejected(by=UserId(an_id()), at=MONDAY).outcome is Outcome.REJECTED


def test_a_decision_is_made_once_and_in_time() -> None:
    proposal = a_proposal(UserId(an_id()))
    decided = proposal.rejected(by=None, at=MONDAY + HOUR)
    with pytest.raises(ProposalDecided, match="rejected before"):
        decided.approved(by=UserId(an_id()), at=MONDAY + HOUR)
    with pytest.raises(ProposalDecided, match="in time"):
        proposal.approved(by=UserId(an_id()), at=MONDAY + LIFETIME)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * (LONGEST_REASON + 1)])
def test_a_proposal_says_why(reason: str) -> None:
    with pytest.raises(InvalidInput, match="say why"):
        a_proposal(None, reason=reason)
