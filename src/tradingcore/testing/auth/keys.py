"""Contracts of the auth context's storage."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from tradingcore.auth.errors import AccountNotFound, ApiKeyNotFound
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.ports.keys import ApiKeyLookup, AuthUnitOfWork, TicketStore
from tradingcore.kernel.authz import Actor, Permission, Role, TraceId
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.builders import HOUR, MONDAY, a_key_holder, an_actor, an_api_key, an_id, the_account_of, the_actor_of
from tradingcore.testing.unit_of_work import AT_A_TIME, UnitOfWorkContract

Units = UnitOfWorkFactory[AuthUnitOfWork]


async def store(unit: AuthUnitOfWork, key: ApiKey) -> ApiKey:
    """Save a key and, before it, the account that it acts for."""
    try:
        await unit.accounts.get(key.user.id)
    except AccountNotFound:
        await unit.accounts.save(the_account_of(key))
    return await unit.api_keys.save(key)


@pytest.mark.asyncio
class AuthUnitOfWorkContract(UnitOfWorkContract[AuthUnitOfWork]):
    """Fixtures: ``units`` and ``outbox`` on one empty store, and ``units_of_users``: the factory that serves users' own calls."""

    announces: ClassVar[bool] = False

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        """The same as ``units`` unless users come in through another door, as a database role of their own."""
        return units

    async def write(self, unit: AuthUnitOfWork, number: int) -> None:
        await store(unit, an_api_key(name=f"key {number}"))

    async def written(self, unit: AuthUnitOfWork) -> int:
        return len(await unit.api_keys.list_all())

    async def read(self, unit: AuthUnitOfWork, number: int) -> Any:
        return next(key for key in await unit.api_keys.list_all() if key.name == f"key {number}")

    async def save(self, unit: AuthUnitOfWork, aggregate: Any) -> Any:
        return await unit.api_keys.save(aggregate)

    async def test_key_round_trip(self, units: Units) -> None:
        key = an_api_key(
            scopes=frozenset({Permission.SIGNALS_READ, Permission.MARKET_READ}),
            user=a_key_holder(roles=frozenset({Role.TRADER, Role.INVESTOR})),
        )
        async with units(an_actor()) as unit:
            saved = await store(unit, key)
        async with units(an_actor()) as unit:
            assert await unit.api_keys.get(key.id) == saved == replace(key, version=1)
            await unit.api_keys.save(saved.revoked(at=MONDAY + HOUR))
        async with units(an_actor()) as unit:
            assert (await unit.api_keys.get(key.id)).revoked_at == MONDAY + HOUR

    async def test_narrow_and_empty_scopes_stay_apart(self, units: Units) -> None:
        unlimited, powerless = an_api_key(scopes=None), an_api_key(scopes=frozenset())
        async with units(an_actor()) as unit:
            await store(unit, unlimited)
            await store(unit, powerless)
        async with units(an_actor()) as unit:
            assert (await unit.api_keys.get(unlimited.id)).scopes is None
            assert (await unit.api_keys.get(powerless.id)).scopes == frozenset()

    async def test_one_user_may_hold_several_keys(self, units: Units) -> None:
        user = a_key_holder()
        async with units(an_actor()) as unit:
            await store(unit, an_api_key(user=user))
        async with units(an_actor()) as unit:
            await store(unit, an_api_key(user=user))
            assert [key.user for key in await unit.api_keys.list_all()] == [user, user]

    async def test_keys_are_listed_newest_first(self, units: Units) -> None:
        keys = [an_api_key(created_at=MONDAY + hour * HOUR) for hour in (2, 0, 1)]
        async with units(an_actor()) as unit:
            for key in keys:
                await store(unit, key)
        async with units(an_actor()) as unit:
            listed = [key.created_at for key in await unit.api_keys.list_all()]
        assert listed == [MONDAY + hour * HOUR for hour in (2, 1, 0)]

    async def test_another_users_key_is_not_found(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = an_api_key(), an_api_key()
        async with units(an_actor()) as unit:
            await store(unit, mine)
            saved = await store(unit, theirs)
        me = the_actor_of(mine)
        async with units_of_users(me) as unit:
            assert [key.id for key in await unit.api_keys.list_all()] == [mine.id]
            assert [key.id for key in await unit.api_keys.list_of(mine.user.id)] == [mine.id]
            assert not await unit.api_keys.list_of(theirs.user.id)
            assert (await unit.api_keys.get(mine.id)).id == mine.id
            with pytest.raises(ApiKeyNotFound) as foreign:
                await unit.api_keys.get(theirs.id)
            unknown = ApiKeyId(an_id())
            with pytest.raises(ApiKeyNotFound) as absent:
                await unit.api_keys.get(unknown)
        assert str(foreign.value).replace(str(theirs.id), "") == str(absent.value).replace(str(unknown), "")
        with pytest.raises(ApiKeyNotFound):
            async with units_of_users(me) as unit:
                await unit.api_keys.save(saved.revoked(at=MONDAY + HOUR))
        async with units(an_actor()) as unit:
            assert (await unit.api_keys.get(theirs.id)).revoked_at is None

    async def test_user_may_revoke_an_own_key(self, units: Units, units_of_users: Units) -> None:
        key = an_api_key()
        async with units(an_actor()) as unit:
            saved = await store(unit, key)
        async with units_of_users(the_actor_of(key)) as unit:
            await unit.api_keys.save(saved.revoked(at=MONDAY + HOUR))
        async with units(an_actor()) as unit:
            assert (await unit.api_keys.get(key.id)).revoked_at == MONDAY + HOUR

    async def test_nobody_sees_no_key(self, units: Units, units_of_users: Units) -> None:
        key = an_api_key()
        async with units(an_actor()) as unit:
            await store(unit, key)
        async with units_of_users(Actor.anonymous(TraceId("0" * 32))) as unit:
            assert not await unit.api_keys.list_all()
            with pytest.raises(ApiKeyNotFound):
                await unit.api_keys.get(key.id)


@pytest.mark.asyncio
class ApiKeyLookupContract:
    """Fixtures: ``lookup`` and ``units`` on one empty store."""

    @pytest.fixture
    def lookup(self) -> ApiKeyLookup:
        raise NotImplementedError("supply the look-up under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_key_is_found_by_its_id_for_nobody_in_particular(self, lookup: ApiKeyLookup, units: Units) -> None:
        key = an_api_key()
        async with units(an_actor()) as unit:
            saved = await store(unit, key)
            await store(unit, an_api_key())
        assert await lookup.find_for_authentication(key.id) == saved

    async def test_unknown_id_finds_nothing(self, lookup: ApiKeyLookup) -> None:
        assert await lookup.find_for_authentication(ApiKeyId(an_id())) is None

    async def test_revocation_shows_at_once(self, lookup: ApiKeyLookup, units: Units) -> None:
        async with units(an_actor()) as unit:
            saved = await store(unit, an_api_key())
        async with units(an_actor()) as unit:
            await unit.api_keys.save(saved.revoked(at=MONDAY))
        found = await lookup.find_for_authentication(saved.id)
        assert found is not None
        assert found.revoked_at == MONDAY


@pytest.mark.asyncio
class TicketStoreContract:
    """Fixtures: ``tickets`` and, if holders must exist first, ``holder``."""

    @pytest.fixture
    def tickets(self) -> TicketStore:
        raise NotImplementedError("supply the store under test")

    @pytest.fixture
    def holder(self) -> Actor:
        return the_actor_of(an_api_key(scopes=frozenset({Permission.SIGNALS_READ})))

    async def test_ticket_gives_its_holder_once(self, tickets: TicketStore, holder: Actor) -> None:
        await tickets.put(_hash("one"), holder, expires_at=MONDAY + HOUR)
        assert await tickets.take(_hash("one"), at=MONDAY) == holder
        assert await tickets.take(_hash("one"), at=MONDAY) is None

    async def test_unknown_ticket_gives_nobody(self, tickets: TicketStore) -> None:
        assert await tickets.take(_hash("never issued"), at=MONDAY) is None

    async def test_expired_ticket_gives_nobody(self, tickets: TicketStore, holder: Actor) -> None:
        await tickets.put(_hash("two"), holder, expires_at=MONDAY)
        assert await tickets.take(_hash("two"), at=MONDAY) is None
        await tickets.put(_hash("three"), holder, expires_at=MONDAY)
        assert await tickets.take(_hash("three"), at=MONDAY - timedelta(microseconds=1)) == holder

    async def test_of_concurrent_takers_one_wins(self, tickets: TicketStore, holder: Actor) -> None:
        await tickets.put(_hash("four"), holder, expires_at=MONDAY + HOUR)
        taken = await asyncio.gather(*(tickets.take(_hash("four"), at=MONDAY) for _ in range(AT_A_TIME)))
        assert sorted(taken, key=lambda actor: actor is None) == [holder] + [None] * (AT_A_TIME - 1)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
