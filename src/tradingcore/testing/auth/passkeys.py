"""Contracts of stored passkeys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tradingcore.auth.ids import PasskeyId
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.ports.passkeys import PasskeyLookup
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.auth.factors import NOBODY, FactorContract, NewUser, Units, hashed, the_owner
from tradingcore.testing.builders import HOUR, MONDAY, an_id


def a_passkey(user_id: UserId, **overrides: Any) -> Passkey:
    fields: dict[str, Any] = {
        "id": PasskeyId(an_id()),
        "user_id": user_id,
        "credential_id": hashed(str(an_id())),
        "public_key": b"a public key",
        "sign_count": 0,
        "label": "an old phone",
        "transports": ("hybrid", "internal"),
        "is_synced": True,
        "created_at": MONDAY,
    }
    return Passkey(**(fields | overrides))


class PasskeysContract(FactorContract):
    @pytest.fixture
    def lookup(self) -> PasskeyLookup:
        raise NotImplementedError("supply the look-up of the same store")

    async def _added(self, units: Units, new_user: NewUser, **overrides: Any) -> Passkey:
        passkey = a_passkey(await new_user(), **overrides)
        async with units(the_owner(passkey.user_id)) as unit:
            assert await unit.passkeys.add(passkey)
        return passkey

    async def test_passkey_round_trip(self, units: Units, new_user: NewUser, lookup: PasskeyLookup) -> None:
        passkey = await self._added(units, new_user)
        newer = a_passkey(passkey.user_id, created_at=MONDAY + HOUR, is_synced=False, transports=())
        async with units(the_owner(passkey.user_id)) as unit:
            assert await unit.passkeys.add(newer)
        async with units(the_owner(passkey.user_id)) as unit:
            assert list(await unit.passkeys.list_of(passkey.user_id)) == [passkey, newer]
        assert await lookup.by_credential(passkey.credential_id) == passkey
        assert await lookup.by_credential(hashed("unknown")) is None

    async def test_credential_belongs_to_one_user(self, units: Units, new_user: NewUser) -> None:
        passkey = await self._added(units, new_user)
        for user_id in (passkey.user_id, await new_user()):
            async with units(the_owner(user_id)) as unit:
                assert not await unit.passkeys.add(a_passkey(user_id, credential_id=passkey.credential_id))

    @pytest.mark.parametrize(
        ("stored", "presented", "follows"), [(0, 0, True), (0, 1, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False)]
    )
    async def test_counter_only_goes_up(
        self, units: Units, new_user: NewUser, stored: int, presented: int, *, follows: bool
    ) -> None:
        passkey = await self._added(units, new_user, sign_count=stored)
        async with units(the_owner(passkey.user_id)) as unit:
            assert await unit.passkeys.record_use(passkey, sign_count=presented, at=MONDAY + HOUR) == follows
        async with units(the_owner(passkey.user_id)) as unit:
            used = replace(passkey, sign_count=presented, last_used_at=MONDAY + HOUR)
            assert list(await unit.passkeys.list_of(passkey.user_id)) == [used if follows else passkey]

    async def test_of_equal_counts_at_once_one_is_accepted(self, units: Units, new_user: NewUser) -> None:
        passkey = await self._added(units, new_user, sign_count=7)
        owner = the_owner(passkey.user_id)
        assert await self._race(units, owner, lambda unit: unit.passkeys.record_use(passkey, sign_count=8, at=MONDAY)) == 1

    async def test_passkey_can_be_renamed_and_removed(self, units: Units, new_user: NewUser, lookup: PasskeyLookup) -> None:
        passkey = await self._added(units, new_user)
        async with units(the_owner(passkey.user_id)) as unit:
            assert await unit.passkeys.rename(passkey.user_id, passkey.id, "a new phone")
            assert not await unit.passkeys.rename(passkey.user_id, PasskeyId(an_id()), "a new phone")
        assert await lookup.by_credential(passkey.credential_id) == replace(passkey, label="a new phone")
        async with units(the_owner(passkey.user_id)) as unit:
            assert await unit.passkeys.remove(passkey.user_id, passkey.id)
            assert not await unit.passkeys.remove(passkey.user_id, passkey.id)
        assert await lookup.by_credential(passkey.credential_id) is None

    async def test_token_of_a_ceremony_is_spent_once(self, units: Units, new_user: NewUser) -> None:
        user_id, end = await new_user(), MONDAY + HOUR
        spent = []
        for token in ("one", "one", "two"):
            async with units(the_owner(user_id)) as unit:
                spent.append(await unit.passkeys.spend(user_id, hashed(token), expires_at=end, at=MONDAY))
        assert spent == [True, False, True]
        async with units(the_owner(user_id)) as unit:
            assert await unit.passkeys.spend(user_id, hashed("three"), expires_at=end + HOUR, at=end - timedelta(microseconds=1))
            assert not await unit.passkeys.spend(user_id, hashed("one"), expires_at=end, at=end - timedelta(microseconds=1))

    async def test_of_equal_tokens_at_once_one_is_spent(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        owner, token = the_owner(user_id), hashed("once")
        assert (
            await self._race(units, owner, lambda unit: unit.passkeys.spend(user_id, token, expires_at=MONDAY + HOUR, at=MONDAY))
            == 1
        )

    async def test_passkey_of_another_user_does_not_exist(self, units: Units, new_user: NewUser, lookup: PasskeyLookup) -> None:
        passkey = await self._added(units, new_user)
        other = await new_user()
        for actor in (the_owner(other), NOBODY):
            async with units(actor) as unit:
                assert list(await unit.passkeys.list_of(passkey.user_id)) == []
                assert not await unit.passkeys.record_use(passkey, sign_count=1, at=MONDAY)
                assert not await unit.passkeys.rename(passkey.user_id, passkey.id, "mine now")
                assert not await unit.passkeys.rename(other, passkey.id, "mine now")
                assert not await unit.passkeys.remove(passkey.user_id, passkey.id)
                assert not await unit.passkeys.remove(other, passkey.id)
            with pytest.raises(PermissionDenied):
                async with units(actor) as unit:
                    await unit.passkeys.add(a_passkey(passkey.user_id))
            with pytest.raises(PermissionDenied):
                async with units(actor) as unit:
                    await unit.passkeys.spend(passkey.user_id, hashed("x"), expires_at=MONDAY + HOUR, at=MONDAY)
        assert await lookup.by_credential(passkey.credential_id) == passkey
