"""Contracts of challenges and trusted devices."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tradingcore.auth.ids import ChallengeId, TrustedDeviceId
from tradingcore.auth.model.challenge import CHALLENGE_LIFETIME, MOST_ATTEMPTS, Challenge, ChallengePurpose, FactorKind
from tradingcore.auth.model.session import AuthMethod
from tradingcore.auth.model.trusted_device import TRUST_LIFETIME, TrustedDevice
from tradingcore.auth.ports.factors import FactorLookup
from tradingcore.kernel.authz import Actor, UserId
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.auth.factors import NOBODY, FactorContract, NewUser, Units, hashed, the_owner
from tradingcore.testing.builders import HOUR, MONDAY, an_id


def a_challenge(user_id: UserId, **overrides: Any) -> Challenge:
    fields: dict[str, Any] = {
        "id": ChallengeId(an_id()),
        "token_hash": hashed(str(an_id())),
        "user_id": user_id,
        "purpose": ChallengePurpose.SIGN_IN,
        "factors": frozenset({FactorKind.TOTP, FactorKind.BACKUP_CODE}),
        "session_id": None,
        "created_at": MONDAY,
        "expires_at": MONDAY + CHALLENGE_LIFETIME,
    }
    return Challenge(**(fields | overrides))


def a_trusted_device(user_id: UserId, **overrides: Any) -> TrustedDevice:
    created_at: datetime = overrides.get("created_at", MONDAY)
    fields: dict[str, Any] = {
        "id": TrustedDeviceId(an_id()),
        "token_hash": hashed(str(an_id())),
        "user_id": user_id,
        "label": "Firefox on a phone",
        "created_at": created_at,
        "expires_at": created_at + TRUST_LIFETIME,
    }
    return TrustedDevice(**(fields | overrides))


class ChallengesContract(FactorContract):
    @pytest.fixture
    def lookup(self) -> FactorLookup:
        raise NotImplementedError("supply the look-up of the same store")

    async def _asked(self, units: Units, new_user: NewUser, **overrides: Any) -> tuple[Actor, Challenge]:
        user_id = await new_user()
        challenge = a_challenge(user_id, **overrides)
        async with units(the_owner(user_id)) as unit:
            await unit.challenges.add(challenge)
        return the_owner(user_id), challenge

    async def _attempt(self, units: Units, owner: Actor, challenge: Challenge, at: datetime = MONDAY) -> bool:
        async with units(owner) as unit:
            return await unit.challenges.take_attempt(challenge.id, at=at)

    async def test_challenge_is_found_by_its_hash_alone(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        _, challenge = await self._asked(
            units, new_user, session_id=an_id(), purpose=ChallengePurpose.STEP_UP, methods=(AuthMethod.PASSWORD,)
        )
        await self._asked(units, new_user)
        assert await lookup.challenge(challenge.token_hash) == challenge
        assert await lookup.challenge(hashed("unknown")) is None

    async def test_only_so_many_attempts_are_given(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        owner, challenge = await self._asked(units, new_user)
        given = [await self._attempt(units, owner, challenge) for _ in range(MOST_ATTEMPTS + 2)]
        assert given == [True] * MOST_ATTEMPTS + [False] * 2
        assert await lookup.challenge(challenge.token_hash) == replace(challenge, attempts=MOST_ATTEMPTS)

    async def test_attempts_at_once_never_pass_the_limit(self, units: Units, new_user: NewUser) -> None:
        owner, challenge = await self._asked(units, new_user)
        assert (
            1 <= await self._race(units, owner, lambda unit: unit.challenges.take_attempt(challenge.id, at=MONDAY)) <= MOST_ATTEMPTS
        )
        # Those that lost a race were told so, and what they did not use is left.
        rest = [await self._attempt(units, owner, challenge) for _ in range(MOST_ATTEMPTS)]
        assert not await self._attempt(units, owner, challenge)
        assert rest == sorted(rest, reverse=True)

    async def test_expired_challenge_is_over(self, units: Units, new_user: NewUser) -> None:
        owner, challenge = await self._asked(units, new_user)
        assert await self._attempt(units, owner, challenge, challenge.expires_at - timedelta(microseconds=1))
        assert not await self._attempt(units, owner, challenge, challenge.expires_at)
        async with units(owner) as unit:
            assert not await unit.challenges.close(challenge.id, at=challenge.expires_at)

    async def test_closed_challenge_is_over(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        owner, challenge = await self._asked(units, new_user)
        async with units(owner) as unit:
            assert await unit.challenges.close(challenge.id, at=MONDAY + timedelta(minutes=1))
        async with units(owner) as unit:
            assert not await unit.challenges.close(challenge.id, at=MONDAY + timedelta(minutes=1))
        assert not await self._attempt(units, owner, challenge)
        found = await lookup.challenge(challenge.token_hash)
        assert found is not None
        assert found.closed_at == MONDAY + timedelta(minutes=1)

    async def test_of_answers_at_once_one_closes_it(self, units: Units, new_user: NewUser) -> None:
        owner, challenge = await self._asked(units, new_user)
        assert await self._race(units, owner, lambda unit: unit.challenges.close(challenge.id, at=MONDAY)) == 1

    async def test_all_open_ones_of_a_user_can_be_closed(self, units: Units, new_user: NewUser) -> None:
        owner, first = await self._asked(units, new_user)
        assert owner.user_id is not None
        second = a_challenge(owner.user_id)
        other_owner, other = await self._asked(units, new_user)
        async with units(owner) as unit:
            await unit.challenges.add(second)
            await unit.challenges.close_all(owner.user_id, at=MONDAY)
        assert [await self._attempt(units, owner, one) for one in (first, second)] == [False, False]
        assert await self._attempt(units, other_owner, other)

    async def test_challenge_of_another_user_does_not_exist(self, units: Units, new_user: NewUser) -> None:
        owner, challenge = await self._asked(units, new_user)
        user_id, other = await new_user(), NOBODY
        for actor in (the_owner(user_id), other):
            async with units(actor) as unit:
                assert not await unit.challenges.take_attempt(challenge.id, at=MONDAY)
                assert not await unit.challenges.close(challenge.id, at=MONDAY)
                await unit.challenges.close_all(challenge.user_id, at=MONDAY)
            with pytest.raises(PermissionDenied):
                async with units(actor) as unit:
                    await unit.challenges.add(a_challenge(challenge.user_id))
        assert await self._attempt(units, owner, challenge)


class TrustedDevicesContract(FactorContract):
    @pytest.fixture
    def lookup(self) -> FactorLookup:
        raise NotImplementedError("supply the look-up of the same store")

    async def test_device_is_found_by_its_hash_alone(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        user_id = await new_user()
        device = a_trusted_device(user_id)
        async with units(the_owner(user_id)) as unit:
            await unit.trusted_devices.add(device)
        assert await lookup.trusted_device(device.token_hash) == device
        assert await lookup.trusted_device(hashed("unknown")) is None

    async def test_devices_are_listed_newest_first_while_they_are_trusted(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        devices = [a_trusted_device(user_id, created_at=MONDAY + hour * HOUR) for hour in (1, 0, 2)]
        async with units(the_owner(user_id)) as unit:
            for device in devices:
                await unit.trusted_devices.add(device)
        async with units(the_owner(user_id)) as unit:
            listed = await unit.trusted_devices.list_trusted(user_id, at=MONDAY + 3 * HOUR)
            assert list(listed) == [devices[2], devices[0], devices[1]]
            later = await unit.trusted_devices.list_trusted(user_id, at=devices[0].expires_at)
            assert list(later) == [devices[2]]

    async def test_trust_ends_when_it_is_revoked(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        user_id = await new_user()
        device, other = a_trusted_device(user_id), a_trusted_device(user_id)
        async with units(the_owner(user_id)) as unit:
            await unit.trusted_devices.add(device)
            await unit.trusted_devices.add(other)
        async with units(the_owner(user_id)) as unit:
            assert await unit.trusted_devices.revoke(user_id, device.id, at=MONDAY + HOUR)
            assert not await unit.trusted_devices.revoke(user_id, device.id, at=MONDAY + HOUR)
            assert not await unit.trusted_devices.revoke(user_id, TrustedDeviceId(an_id()), at=MONDAY + HOUR)
        async with units(the_owner(user_id)) as unit:
            assert list(await unit.trusted_devices.list_trusted(user_id, at=MONDAY + HOUR)) == [other]
            assert await unit.trusted_devices.revoke_all(user_id, at=MONDAY + HOUR) == 1
            assert await unit.trusted_devices.revoke_all(user_id, at=MONDAY + HOUR) == 0
        found = await lookup.trusted_device(device.token_hash)
        assert found is None or not found.is_trusted(at=MONDAY + HOUR)

    async def test_device_of_another_user_does_not_exist(self, units: Units, new_user: NewUser, lookup: FactorLookup) -> None:
        user_id, other = await new_user(), await new_user()
        device = a_trusted_device(user_id)
        async with units(the_owner(user_id)) as unit:
            await unit.trusted_devices.add(device)
        for actor in (the_owner(other), NOBODY):
            async with units(actor) as unit:
                assert not await unit.trusted_devices.list_trusted(user_id, at=MONDAY)
                assert not await unit.trusted_devices.revoke(user_id, device.id, at=MONDAY)
                assert not await unit.trusted_devices.revoke(other, device.id, at=MONDAY)
                assert await unit.trusted_devices.revoke_all(user_id, at=MONDAY) == 0
            with pytest.raises(PermissionDenied):
                async with units(actor) as unit:
                    await unit.trusted_devices.add(a_trusted_device(user_id))
        assert await lookup.trusted_device(device.token_hash) == device
