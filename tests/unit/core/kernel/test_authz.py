from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.kernel.authz import (
    PLAN_SCOPES,
    ROLE_PERMISSIONS,
    Actor,
    Cause,
    EventId,
    Permission,
    Plan,
    Role,
    TraceId,
    UserId,
    authorize,
)
from tradingcore.kernel.errors import PermissionDenied, Unauthenticated

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
        by_role = any(permission in ROLE_PERMISSIONS[role] for role in roles)
        by_token = scopes is None or permission in scopes
        assert (permission in actor.permissions) == (by_role and permission in PLAN_SCOPES[plan] and by_token)


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
        with pytest.raises(PermissionDenied, match=f"{permission.value}, which ada does not have"):
            authorize(actor, permission)


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
    assert a_user(roles=frozenset({Role.STUDENT}), plan=Plan.ENTERPRISE).permissions == {Permission.ACCOUNT_OWN}


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
