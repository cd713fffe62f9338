"""Rotation of refresh tokens: security.md A2; the property of G20 is in `test_refresh_machine`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import ELSEWHERE, HERE, SignInWorld
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.session import LONGEST_SESSION, REFRESH_GRACE, REFRESH_LIFETIME, EndReason
from tradingcore.kernel.authz import Role

A_MOMENT = timedelta(microseconds=1)
AFTER_GRACE = REFRESH_GRACE + A_MOMENT


@asvs("10.4.5")
async def test_a_refresh_gives_a_new_pair_and_slides_the_session() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    first = await world.signed_in()
    world.clock.advance(timedelta(hours=1))
    second = await world.refresh(first.tokens.refresh_token, caller=ELSEWHERE)
    assert second.tokens.refresh_token != first.tokens.refresh_token
    assert second.session.expires_at == world.clock.now() + REFRESH_LIFETIME
    assert (await world.actor_in(second)).session_id == first.session.id
    assert world.live_tokens() == 1
    assert len(world.live_sessions(owner.id)) == 1


async def test_the_same_client_may_repeat_within_the_grace() -> None:
    world = SignInWorld()
    await world.an_owner()
    first = await world.signed_in()
    second = await world.refresh(first.tokens.refresh_token)
    world.clock.advance(REFRESH_GRACE)
    again = await world.refresh(first.tokens.refresh_token)
    assert again.tokens.refresh_token == second.tokens.refresh_token
    assert (await world.actor_in(again)).session_id == first.session.id
    assert world.live_tokens() == 1
    await world.refresh(second.tokens.refresh_token)


@asvs("10.4.5", "16.3.3")
async def test_reuse_after_the_grace_ends_the_session_and_is_told() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    first = await world.signed_in()
    second = await world.refresh(first.tokens.refresh_token)
    world.clock.advance(AFTER_GRACE)
    with pytest.raises(CredentialRefused):
        await world.refresh(first.tokens.refresh_token)
    assert world.live_sessions(owner.id) == []
    assert world.live_tokens() == 0
    with pytest.raises(CredentialRefused):
        await world.refresh(second.tokens.refresh_token)
    with pytest.raises(CredentialRefused):
        await world.actor_in(second)
    assert world.audited(owner.id) == ["auth.signed_in", "auth.refresh_reuse", "auth.session_ended"]
    (mail,) = await world.settle()
    assert (mail.template, mail.values["device"]) == ("refresh_token_reuse", "Firefox on Linux")


@pytest.mark.parametrize(
    "thief", [ELSEWHERE, replace(HERE, device_label="curl"), replace(ELSEWHERE, device_label=HERE.device_label)]
)
async def test_another_client_has_no_grace(thief: Caller) -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    first = await world.signed_in()
    await world.refresh(first.tokens.refresh_token)
    with pytest.raises(CredentialRefused):
        await world.refresh(first.tokens.refresh_token, caller=thief)
    assert world.live_sessions(owner.id) == []
    assert world.database.sessions.rows[first.session.id].end_reason is EndReason.REFRESH_REUSE


@asvs("7.3.2", "10.4.8")
async def test_a_session_ends_after_thirty_days_however_often_it_is_refreshed() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    end = opened.session.created_at + LONGEST_SESSION
    token = opened.tokens.refresh_token
    while world.clock.now() + timedelta(days=6) < end:
        world.clock.advance(timedelta(days=6))
        token = (await world.refresh(token)).tokens.refresh_token
    assert world.live_sessions(owner.id)[0].expires_at == end
    world.clock.set(end)
    with pytest.raises(CredentialRefused):
        await world.refresh(token)


@asvs("7.3.1")
async def test_a_session_that_nobody_refreshes_ends_after_seven_days() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    world.clock.advance(REFRESH_LIFETIME)
    with pytest.raises(CredentialRefused):
        await world.refresh(opened.tokens.refresh_token)
    assert "auth.refresh_reuse" not in world.audited(opened.session.user_id)


@asvs("7.3.2", "10.4.8")
async def test_staff_does_not_refresh_past_twelve_hours() -> None:
    world = SignInWorld()
    await world.an_owner(roles=frozenset({Role.ADMIN}))
    opened = await world.signed_in()
    world.clock.advance(timedelta(hours=11))
    second = await world.refresh(opened.tokens.refresh_token)
    assert second.session.expires_at == opened.session.created_at + timedelta(hours=12)
    world.clock.advance(timedelta(hours=1))
    with pytest.raises(CredentialRefused):
        await world.refresh(second.tokens.refresh_token)


async def test_whoever_became_staff_keeps_no_long_session() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    world.clock.advance(timedelta(hours=12))
    await world.save(owner.with_rights(roles=frozenset({Role.ADMIN}), plan=owner.plan, by="root", at=world.clock.now()))
    with pytest.raises(CredentialRefused):
        await world.refresh(opened.tokens.refresh_token)
    assert world.database.sessions.rows[opened.session.id].end_reason is EndReason.ACCOUNT_CHANGED


@asvs("7.4.2")
async def test_a_suspended_account_refreshes_nothing() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    await world.save(owner.frozen(by="an admin", at=world.clock.now()))
    with pytest.raises(CredentialRefused):
        await world.actor_in(opened)
    with pytest.raises(CredentialRefused):
        await world.refresh(opened.tokens.refresh_token)
    assert world.live_sessions(owner.id) == []


@asvs("8.3.2")
async def test_new_rights_need_a_refresh() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    await world.save(owner.with_rights(roles=frozenset({Role.TRADER}), plan=owner.plan, by="root", at=world.clock.now()))
    with pytest.raises(CredentialRefused):
        await world.actor_in(opened)
    refreshed = await world.refresh(opened.tokens.refresh_token)
    assert (await world.actor_in(refreshed)).roles == {Role.TRADER}


async def test_of_sixteen_at_once_one_rotates_and_the_others_repeat() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    opened = await world.signed_in()
    results = await asyncio.gather(*(world.refresh(opened.tokens.refresh_token) for _ in range(16)))
    assert len({one.tokens.refresh_token for one in results}) == 1
    assert world.live_tokens() == 1
    assert len(world.live_sessions(owner.id)) == 1


@given(token=st.text(max_size=100) | st.text(alphabet="abcXYZ019-_", min_size=43, max_size=43))
async def test_anything_else_is_refused_and_ends_nothing(token: str) -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    await world.signed_in()
    with pytest.raises(CredentialRefused):
        await world.refresh(token)
    assert len(world.live_sessions(owner.id)) == 1


async def test_a_token_has_one_spelling() -> None:
    world = SignInWorld()
    await world.an_owner()
    token = (await world.signed_in()).tokens.refresh_token
    # The last letter holds two bits that mean nothing.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = letters[letters.index(token[-1]) ^ 1]
    with pytest.raises(CredentialRefused):
        await world.refresh(token[:-1] + twin)
    await world.refresh(token)
