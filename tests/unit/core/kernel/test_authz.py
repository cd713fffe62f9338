from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.kernel.authz import (
    PLAN_SCOPES,
    ROLE_PERMISSIONS,
    Actor,
    Assurance,
    Cause,
    EventId,
    Permission,
    Plan,
    Role,
    StepUp,
    TraceId,
    UserId,
    authorize,
)
from tradingcore.kernel.errors import PermissionDenied, StepUpRequired, Unauthenticated
from tradingcore.kernel.permissions import STAFF

TRACE = TraceId("1" * 32)
roles = st.frozensets(st.sampled_from(Role))
plans = st.sampled_from(Plan)
scopes = st.none() | st.frozensets(st.sampled_from(Permission))


def a_user(
    *, roles: frozenset[Role] = frozenset({Role.TRADER}), plan: Plan = Plan.PRO, scopes: frozenset[Permission] | None = None
) -> Actor:
    return Actor.of_user(trace_id=TRACE, user_id=UserId(UUID(int=1)), roles=roles, plan=plan, name="ada", scopes=scopes)


@given(roles, plans, scopes)
def test_a_user_may_what_role_and_plan_and_token_all_grant(
    roles: frozenset[Role], plan: Plan, scopes: frozenset[Permission] | None
) -> None:
    actor = a_user(roles=roles, plan=plan, scopes=scopes)
    for permission in set(Permission) - {Permission.PUBLIC}:
        by_role = any(permission in ROLE_PERMISSIONS[role] and (role in STAFF or permission in PLAN_SCOPES[plan]) for role in roles)
        by_token = scopes is None or permission in scopes
        assert (permission in actor.permissions) == (by_role and by_token)


@given(roles, plans, scopes)
def test_no_user_acts_as_the_system(roles: frozenset[Role], plan: Plan, scopes: frozenset[Permission] | None) -> None:
    with pytest.raises(PermissionDenied):
        authorize(a_user(roles=roles, plan=plan, scopes=scopes), Permission.SYSTEM)


@given(st.sampled_from(Permission), roles, plans, scopes)
def test_authorize_agrees_with_the_permissions_of_the_actor(
    permission: Permission, roles: frozenset[Role], plan: Plan, scopes: frozenset[Permission] | None
) -> None:
    actor = a_user(roles=roles, plan=plan, scopes=scopes)
    if permission is Permission.PUBLIC or permission in actor.permissions:
        authorize(actor, permission)
    else:
        with pytest.raises(
            PermissionDenied,
            match=f"the permission {permission.value}, which (you do not have (as|without)|this key or token does not carry)",
        ):
            authorize(actor, permission)


def test_who_is_refused_learns_what_lacks() -> None:
    investor = a_user(roles=frozenset({Role.INVESTOR}), plan=Plan.FREE)
    cases = [
        (investor, "which you do not have as investor on the plan free"),
        (replace(investor, roles=frozenset()), "which you do not have without a role"),
        (a_user(scopes=frozenset({Permission.MARKET_READ})), "which this key or token does not carry"),
        (replace(investor, restriction="prove your address"), "which you do not have yet: prove your address"),
        (Actor(trace_id=TRACE, permissions=frozenset({Permission.MARKET_READ}), name="feed"), "which feed does not have"),
    ]
    for actor, sentence in cases:
        with pytest.raises(PermissionDenied, match=f"^this needs the permission signals:read, {sentence}$"):
            authorize(actor, Permission.SIGNALS_READ)


@pytest.mark.parametrize("permission", sorted(set(Permission) - {Permission.PUBLIC}))
def test_nobody_is_asked_for_a_credential(permission: Permission) -> None:
    with pytest.raises(Unauthenticated):
        authorize(Actor.anonymous(TRACE), permission)


def test_public_is_open_to_everybody() -> None:
    for actor in (Actor.anonymous(TRACE), a_user(roles=frozenset()), Actor.operator(TRACE), Actor.system(TRACE)):
        authorize(actor, Permission.PUBLIC)


def test_roles_are_no_ladder() -> None:
    assert Permission.FORECASTS_CREATE in ROLE_PERMISSIONS[Role.TRADER] - ROLE_PERMISSIONS[Role.ADMIN]


def test_a_student_may_nothing_outside_of_education_and_the_own_account() -> None:
    assert a_user(roles=frozenset({Role.STUDENT}), plan=Plan.ENTERPRISE).permissions == {
        Permission.ACCOUNT_OWN,
        Permission.COURSES_LEARN,
    }


def test_staff_neither_trades_nor_moves_money() -> None:
    customers = {Permission.PAPER_TRADE, Permission.BOTS_RUN, Permission.WALLET_OWN, Permission.WITHDRAWALS_REQUEST}
    for role in STAFF:
        assert not ROLE_PERMISSIONS[role] & (customers | {Permission.SYSTEM})


def test_who_proposes_a_ledger_adjustment_cannot_approve_it_by_role() -> None:
    for role in Role:
        assert not {Permission.LEDGER_PROPOSE, Permission.LEDGER_APPROVE} <= ROLE_PERMISSIONS[role]


def test_every_permission_is_somebodys_or_the_platforms() -> None:
    given = frozenset[Permission]().union(*ROLE_PERMISSIONS.values())
    assert set(Permission) - given == {Permission.PUBLIC, Permission.SYSTEM}
    assert {plan: PLAN_SCOPES[plan] - given for plan in Plan} == dict.fromkeys(Plan, frozenset())


def test_a_larger_plan_has_what_a_smaller_one_has() -> None:
    ordered = [PLAN_SCOPES[plan] for plan in Plan]
    assert all(smaller <= larger for smaller, larger in pairwise(ordered))


RECENT = StepUp(max_age=timedelta(minutes=5), assurance=Assurance.AAL2)


def a_session_of(age: timedelta | None, assurance: Assurance) -> Actor:
    return replace(a_user(), session_id=UUID(int=2), authentication_age=age, assurance=assurance)


def test_a_recent_and_sure_sign_in_passes_a_step_up() -> None:
    authorize(a_session_of(timedelta(minutes=5), Assurance.AAL2), Permission.ACCOUNT_OWN, RECENT)


@asvs("10.3.4")
@pytest.mark.parametrize(
    ("age", "assurance"),
    [
        (timedelta(minutes=5, microseconds=1), Assurance.AAL2),
        (timedelta(0), Assurance.AAL1),
        (None, Assurance.AAL2),
    ],
)
def test_an_old_or_unsure_sign_in_has_to_step_up(age: timedelta | None, assurance: Assurance) -> None:
    with pytest.raises(StepUpRequired) as caught:
        authorize(a_session_of(age, assurance), Permission.ACCOUNT_OWN, RECENT)
    assert (caught.value.max_age_seconds, caught.value.assurance) == (300, "aal2")


def test_an_api_key_never_passes_a_step_up_and_an_operator_needs_none() -> None:
    with pytest.raises(PermissionDenied):
        authorize(replace(a_user(), credential_id=UUID(int=3)), Permission.ACCOUNT_OWN, RECENT)
    authorize(Actor.operator(TRACE), Permission.ACCOUNT_OWN, RECENT)


def test_acting_for_somebody_gives_no_permission() -> None:
    acting = Actor.anonymous(TRACE).acting_for(UserId(UUID(int=9)))
    assert (acting.user_id, acting.permissions) == (UserId(UUID(int=9)), frozenset())
    with pytest.raises(PermissionDenied):
        authorize(acting, Permission.ACCOUNT_OWN)
    assert acting.acting_user_id is None
    me = a_user()
    assert me.acting_for(UserId(UUID(int=9))).acting_for(UserId(UUID(int=8))).acting_user_id == me.acting_user_id == me.user_id


def test_every_role_and_plan_has_its_row() -> None:
    assert ROLE_PERMISSIONS.keys() == set(Role)
    assert PLAN_SCOPES.keys() == set(Plan)


def test_operators_and_the_platform_are_not_users() -> None:
    for actor in (Actor.operator(TRACE), Actor.system(TRACE)):
        assert actor.user_id is None
        assert not actor.is_anonymous
        authorize(actor, Permission.SYSTEM)


def test_a_cause_changes_nothing_else_about_the_actor() -> None:
    cause = Cause(handler="ml.make_forecast", event_id=EventId(UUID(int=7)))
    caused = Actor.system(TRACE, cause=cause)
    assert caused.cause == cause
    assert replace(caused, cause=None) == Actor.system(TRACE)
