"""Ending sessions, and proving again who one is: security.md A3, A14."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import ELSEWHERE, SignInWorld
from tradingcore.auth.errors import (
    ChallengeEnded,
    CredentialRefused,
    FactorNeeded,
    FactorNotFound,
    FactorRefused,
    PasswordWrong,
    SessionNotFound,
)
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.session import ACCESS_LIFETIME, AuthMethod, EndReason
from tradingcore.auth.use_cases.change_address import RequestAddressChangeCommand
from tradingcore.auth.use_cases.manage_sessions import (
    EndSessionCommand,
    EndSessionsCommand,
    LeaveSessionCommand,
    ListSessionsCommand,
)
from tradingcore.auth.use_cases.second_factor import FactorAnswer
from tradingcore.auth.use_cases.session_opening import FactorRequired, OpenedSession
from tradingcore.auth.use_cases.step_up import AskForStepUpCommand, StepUpByFactorCommand, StepUpByPasswordCommand
from tradingcore.kernel.authz import Actor, Assurance, Permission, Role, StepUp, authorize
from tradingcore.kernel.errors import PermissionDenied, StepUpRequired, TooManyAttempts, Unauthenticated
from tradingcore.testing.auth.builders import PASSWORD
from tradingcore.testing.builders import an_actor, an_id

RECENT = StepUp()
SURE = StepUp(assurance=Assurance.AAL2)


async def refused(world: SignInWorld, opened: OpenedSession) -> bool:
    try:
        await world.actor_in(opened)
    except CredentialRefused:
        return True
    return False


async def test_own_sessions_are_listed_with_the_current_one() -> None:
    world = SignInWorld()
    await world.an_owner()
    await world.an_owner("bob")
    first, second = await world.signed_in(), await world.signed_in(caller=ELSEWHERE)
    await world.signed_in("bob")
    listed = await world.list_sessions(await world.actor_in(first), ListSessionsCommand())
    assert {(one.session.id, one.is_current) for one in listed} == {(first.session.id, True), (second.session.id, False)}


@asvs("7.4.1")
async def test_signing_out_ends_the_session_and_its_tokens() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened, other = await world.signed_in(), await world.signed_in()
    await world.leave_session(await world.actor_in(opened), LeaveSessionCommand())
    assert await refused(world, opened)
    assert not await refused(world, other)
    with pytest.raises(CredentialRefused):
        await world.refresh(opened.tokens.refresh_token)
    assert world.database.sessions.rows[opened.session.id].end_reason is EndReason.SIGNED_OUT
    assert world.audited(owner.id)[-1] == "auth.session_ended"


async def test_a_refresh_token_is_enough_to_sign_out() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    await world.leave_session(world.nobody(), LeaveSessionCommand(token=opened.tokens.refresh_token))
    assert await refused(world, opened)
    for again in (opened.tokens.refresh_token, "A" * 43, "not a token"):
        await world.leave_session(world.nobody(), LeaveSessionCommand(token=again))
    with pytest.raises(CredentialRefused):
        await world.leave_session(world.nobody(), LeaveSessionCommand())


@asvs("7.4.3")
async def test_all_others_can_be_ended_and_all() -> None:
    world = SignInWorld()
    await world.an_owner()
    here, there = await world.signed_in(), await world.signed_in()
    me = await world.actor_in(here)
    assert await world.end_sessions(me, EndSessionsCommand(but_current=True)) == 1
    assert await refused(world, there)
    assert not await refused(world, here)
    assert await world.end_sessions(me, EndSessionsCommand(but_current=False)) == 1
    assert await refused(world, here)


async def test_ending_all_others_ends_a_change_of_address_that_one_of_them_began() -> None:
    world = SignInWorld()
    account = await world.an_owner()
    here, thief = await world.signed_in(), await world.signed_in()
    await world.ask_change(await world.actor_in(thief), RequestAddressChangeCommand(email="thief@example.org"))
    await world.settle()
    assert world.open_tokens(account.id) == [TokenPurpose.CHANGE_ADDRESS]
    await world.end_sessions(await world.actor_in(here), EndSessionsCommand(but_current=True))
    assert world.open_tokens(account.id) == []


@asvs("8.2.2")
async def test_one_session_can_be_ended_by_its_owner_only() -> None:
    world = SignInWorld()
    await world.an_owner()
    await world.an_owner("bob")
    mine, other, theirs = await world.signed_in(), await world.signed_in(), await world.signed_in("bob")
    me = await world.actor_in(mine)
    await world.end_session(me, EndSessionCommand(session_id=other.session.id))
    await world.end_session(me, EndSessionCommand(session_id=other.session.id))
    assert await refused(world, other)
    for foreign in (theirs.session.id, SessionId(an_id())):
        with pytest.raises(SessionNotFound):
            await world.end_session(me, EndSessionCommand(session_id=foreign))
    assert not await refused(world, theirs)


async def test_operators_and_nobody_have_no_sessions() -> None:
    world = SignInWorld()
    with pytest.raises(Unauthenticated):
        await world.list_sessions(an_actor(), ListSessionsCommand())
    with pytest.raises(Unauthenticated):
        await world.end_sessions(world.nobody(), EndSessionsCommand(but_current=False))


async def test_an_access_token_ends_after_fifteen_minutes() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    holder = await world.actor_in(opened)
    world.clock.advance(ACCESS_LIFETIME + timedelta(seconds=31))
    assert await refused(world, opened)
    assert not await world.still_holds(holder)


@asvs("7.4.1", "7.4.2", "4.4.4")
@pytest.mark.parametrize("change", ["ended", "frozen", "rights", "expired"])
async def test_a_long_connection_ends_with_what_it_rests_on(change: str) -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    holder = await world.actor_in(opened)
    assert await world.still_holds(holder)
    at = world.clock.now()
    if change == "ended":
        await world.leave_session(holder, LeaveSessionCommand())
    elif change == "frozen":
        await world.save(owner.frozen(by="an admin", at=at))
    elif change == "rights":
        await world.save(owner.with_rights(roles=frozenset({Role.TRADER}), plan=owner.plan, by="an admin", at=at))
    else:
        world.clock.advance(ACCESS_LIFETIME)
    assert not await world.still_holds(holder)


@asvs("7.5.1", "7.5.3")
async def test_a_password_makes_the_session_recent_again() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    world.clock.advance(timedelta(minutes=6))
    me = await world.actor_in(opened)
    with pytest.raises(StepUpRequired) as asked:
        authorize(me, Permission.ACCOUNT_OWN, RECENT)
    assert (asked.value.max_age_seconds, asked.value.assurance) == (300, "aal1")
    renewed = await world.step_up_by_password(me, StepUpByPasswordCommand(password=PASSWORD))
    fresh = await world.actor(renewed.access.text)
    authorize(fresh, Permission.ACCOUNT_OWN, RECENT)
    with pytest.raises(StepUpRequired):
        authorize(fresh, Permission.ACCOUNT_OWN, SURE)
    assert fresh.session_id == opened.session.id
    with pytest.raises(StepUpRequired):
        authorize(await world.actor_in(opened), Permission.ACCOUNT_OWN, RECENT)
    assert world.audited(opened.session.user_id)[-1] == "auth.stepped_up"


async def test_a_wrong_password_renews_nothing_and_is_counted() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    me = await world.actor_in(opened)
    for _ in range(5):
        with pytest.raises(PasswordWrong):
            await world.step_up_by_password(me, StepUpByPasswordCommand(password="wrong horse battery staple"))
    with pytest.raises(TooManyAttempts):
        await world.step_up_by_password(me, StepUpByPasswordCommand(password=PASSWORD))
    assert world.audited(owner.id)[1:] == ["auth.sign_in_refused"] * 5
    await world.signed_in()


async def test_a_second_factor_renews_at_the_higher_level() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    await world.with_totp(owner)
    me = await world.actor_in(opened)
    asked = await world.ask_for_step_up(me, AskForStepUpCommand())
    answer = FactorAnswer(challenge=asked.token, kind=FactorKind.TOTP, proof=world.code())
    renewed = await world.step_up_by_factor(me, StepUpByFactorCommand(answer=answer))
    assert renewed.session.methods == (AuthMethod.PASSWORD, AuthMethod.TOTP)
    authorize(await world.actor(renewed.access.text), Permission.ACCOUNT_OWN, SURE)


async def test_a_step_up_belongs_to_the_session_that_asked() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    first, second = await world.signed_in(), await world.signed_in()
    await world.with_totp(owner)
    asked = await world.ask_for_step_up(await world.actor_in(first), AskForStepUpCommand())
    answer = FactorAnswer(challenge=asked.token, kind=FactorKind.TOTP, proof=world.code())
    with pytest.raises(ChallengeEnded):
        await world.step_up_by_factor(await world.actor_in(second), StepUpByFactorCommand(answer=answer))
    with pytest.raises(ChallengeEnded):
        await world.answered(FactorRequired(challenge=asked.token, factors=asked.factors, expires_at=asked.expires_at))
    with pytest.raises(FactorRefused):
        await world.step_up_by_factor(await world.actor_in(first), StepUpByFactorCommand(answer=replace(answer, proof="12345x")))


async def test_a_session_of_two_factors_is_not_renewed_by_a_password() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.with_totp(owner)
    asked = await world.enters()
    assert isinstance(asked, FactorRequired)
    me = await world.actor_in(await world.answered(asked))
    with pytest.raises(FactorNeeded):
        await world.step_up_by_password(me, StepUpByPasswordCommand(password=PASSWORD))


async def test_there_must_be_a_factor_to_ask_for() -> None:
    world = SignInWorld()
    await world.an_owner()
    with pytest.raises(FactorNotFound):
        await world.ask_for_step_up(await world.actor_in(await world.signed_in()), AskForStepUpCommand())


async def test_api_keys_do_not_step_up() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    key = replace(await world.actor_in(await world.signed_in()), session_id=None)
    assert isinstance(key, Actor)
    with pytest.raises(PermissionDenied):
        await world.step_up_by_password(key, StepUpByPasswordCommand(password=PASSWORD))
    with pytest.raises(PermissionDenied):
        authorize(key, Permission.ACCOUNT_OWN, RECENT)
    assert owner.id == key.user_id


async def test_a_session_that_ended_meanwhile_is_not_renewed() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    me = await world.actor_in(opened)
    await world.leave_session(me, LeaveSessionCommand())
    with pytest.raises(CredentialRefused):
        await world.step_up_by_password(me, StepUpByPasswordCommand(password=PASSWORD))
