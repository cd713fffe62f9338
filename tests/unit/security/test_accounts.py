"""What holds for accounts and their tokens whatever the way in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.memory.database import MemoryDatabase
from tests.asvs import asvs
from tests.unit.core.auth.sign_in_world import SignInWorld
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.access_token import AccessClaims
from tradingcore.auth.use_cases.session_opening import OpenedSession
from tradingcore.kernel.authz import Permission
from tradingcore.testing.fakes import FakeClock


def claims_in(world: SignInWorld, opened: OpenedSession) -> AccessClaims:
    return world.tokens.verify(opened.tokens.access.text, at=world.clock.now())


@asvs("6.2.10")
async def test_a_password_stays_right_for_years() -> None:
    world = SignInWorld()
    owner = await world.an_owner()
    world.clock.advance(timedelta(days=5 * 365))
    opened = await world.signed_in()
    assert (opened.session.user_id, (await world.actor_in(opened)).restriction) == (owner.id, None)


@asvs("6.3.2")
def test_an_installation_begins_without_accounts_and_keys() -> None:
    database = MemoryDatabase(clock=FakeClock())
    assert (len(database.user_accounts.rows), len(database.api_keys.rows)) == (0, 0)


@asvs("7.2.2")
async def test_every_session_has_tokens_of_its_own() -> None:
    world = SignInWorld()
    await world.an_owner()
    first, second = await world.signed_in(), await world.signed_in()
    texts = {token for one in (first, second) for token in (one.tokens.access.text, one.tokens.refresh_token)}
    assert len(texts) == 4
    refreshed = await world.refresh(first.tokens.refresh_token)
    assert {refreshed.tokens.access.text, refreshed.tokens.refresh_token} & texts == set()


@asvs("10.3.2")
async def test_a_token_may_no_more_than_its_scopes() -> None:
    world = SignInWorld()
    await world.an_owner()
    opened = await world.signed_in()
    assert len((await world.actor_in(opened)).permissions) > 1
    narrow = replace(claims_in(world, opened), scopes=frozenset({Permission.MARKET_READ, Permission.MODELS_MANAGE}))
    assert (await world.actor(world.tokens.issue(narrow))).permissions == {Permission.MARKET_READ}


@asvs("10.3.2", "10.3.3")
async def test_a_token_speaks_for_the_owner_of_its_session_alone() -> None:
    world = SignInWorld()
    ana, bob = await world.an_owner(), await world.an_owner("bob")
    opened = await world.signed_in()
    assert (await world.actor_in(opened)).user_id == ana.id
    swapped = replace(claims_in(world, opened), user_id=bob.id)
    with pytest.raises(CredentialRefused):
        await world.actor(world.tokens.issue(swapped))
