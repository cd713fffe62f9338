"""Contracts of authenticators and backup codes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tradingcore.auth.events import BackupCodesReplaced
from tradingcore.auth.model.backup_code import CODES_IN_A_SET, BackupCode
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.ports.factors import FactorUnitOfWork
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import Conflict, PermissionDenied, StaleVersion
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.builders import HOUR, MONDAY, an_id
from tradingcore.testing.unit_of_work import Abandoned, outcomes

Units = UnitOfWorkFactory[FactorUnitOfWork]
NewUser = Callable[[], Awaitable[UserId]]

SECRET = bytes(range(20))
NOBODY = Actor.anonymous(TraceId("0" * 32))


def the_owner(user_id: UserId) -> Actor:
    return Actor.of_user(trace_id=TraceId("1" * 32), user_id=user_id, roles=frozenset({Role.TRADER}), plan=Plan.PRO, name="ana")


def a_totp_factor(user_id: UserId, **overrides: Any) -> TotpFactor:
    fields: dict[str, Any] = {"user_id": user_id, "created_at": MONDAY}
    return TotpFactor(**(fields | overrides))


def a_set_of_codes(user_id: UserId, label: str = "first") -> list[BackupCode]:
    return [
        BackupCode(code_hash=hashed(f"{label}:{user_id}:{number}"), user_id=user_id, number=number, created_at=MONDAY)
        for number in range(1, CODES_IN_A_SET + 1)
    ]


def hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.mark.asyncio
class FactorContract:
    """Fixtures: ``units`` that serve users' own calls, and ``new_user``, which makes an account and returns its id."""

    races: ClassVar[int] = 8
    """Fewer than a pool holds: who waits for a connection does not race."""

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the factory under test")

    @pytest.fixture
    def new_user(self) -> NewUser:
        raise NotImplementedError("supply a maker of accounts in the same store")

    async def _race(self, units: Units, owner: Actor, call: Callable[[FactorUnitOfWork], Awaitable[bool]]) -> int:
        """How many of many at once were told yes, in a unit that then ended well."""

        async def once() -> bool:
            async with units(owner) as unit:
                await asyncio.sleep(0)
                is_first = await call(unit)
                await asyncio.sleep(0)
            return is_first

        results = await asyncio.gather(*(once() for _ in range(self.races)), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        assert {type(error) for error in errors} <= {StaleVersion}
        return sum(result is True for result in results)


class TotpFactorsContract(FactorContract):
    async def _confirmed(self, units: Units, new_user: NewUser, *, step: int = 100) -> Actor:
        owner = the_owner(await new_user())
        assert owner.user_id is not None
        async with units(owner) as unit:
            assert await unit.totp_factors.enrol(a_totp_factor(owner.user_id), SECRET)
            assert await unit.totp_factors.confirm(owner.user_id, step=step, at=MONDAY + HOUR)
        return owner

    async def test_factor_round_trip(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        async with units(the_owner(user_id)) as unit:
            assert await unit.totp_factors.find(user_id) is None
            assert await unit.totp_factors.secret_of(user_id) is None
            assert await unit.totp_factors.enrol(a_totp_factor(user_id), SECRET)
        async with units(the_owner(user_id)) as unit:
            assert await unit.totp_factors.find(user_id) == a_totp_factor(user_id)
            assert await unit.totp_factors.secret_of(user_id) == SECRET
            assert await unit.totp_factors.confirm(user_id, step=100, at=MONDAY + HOUR)
        async with units(the_owner(user_id)) as unit:
            confirmed = a_totp_factor(user_id, last_step=100, confirmed_at=MONDAY + HOUR)
            assert await unit.totp_factors.find(user_id) == confirmed
            assert await unit.totp_factors.secret_of(user_id) == SECRET

    async def test_enrolling_again_replaces_what_was_not_confirmed(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        async with units(the_owner(user_id)) as unit:
            assert await unit.totp_factors.enrol(a_totp_factor(user_id), SECRET)
        async with units(the_owner(user_id)) as unit:
            assert await unit.totp_factors.enrol(a_totp_factor(user_id, created_at=MONDAY + HOUR), SECRET[::-1])
        async with units(the_owner(user_id)) as unit:
            assert await unit.totp_factors.find(user_id) == a_totp_factor(user_id, created_at=MONDAY + HOUR)
            assert await unit.totp_factors.secret_of(user_id) == SECRET[::-1]

    async def test_confirmed_factor_is_never_replaced(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user)
        assert owner.user_id is not None
        async with units(owner) as unit:
            assert not await unit.totp_factors.enrol(a_totp_factor(owner.user_id), SECRET[::-1])
            assert await unit.totp_factors.secret_of(owner.user_id) == SECRET

    async def test_there_is_nothing_to_confirm_twice(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user)
        assert owner.user_id is not None
        async with units(owner) as unit:
            assert not await unit.totp_factors.confirm(owner.user_id, step=101, at=MONDAY + HOUR)
            assert not await unit.totp_factors.confirm(UserId(an_id()), step=101, at=MONDAY + HOUR)

    async def test_unconfirmed_factor_accepts_no_step(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        async with units(the_owner(user_id)) as unit:
            await unit.totp_factors.enrol(a_totp_factor(user_id), SECRET)
            assert not await unit.totp_factors.take_step(user_id, 100)

    async def test_steps_only_go_up(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user, step=100)
        assert owner.user_id is not None
        accepted = []
        for step in (100, 99, 102, 101, 102, 103):
            async with units(owner) as unit:
                accepted.append(await unit.totp_factors.take_step(owner.user_id, step))
        assert accepted == [False, False, True, False, False, True]

    async def test_of_equal_steps_at_once_one_is_accepted(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user, step=100)
        user_id = owner.user_id
        assert user_id is not None
        assert await self._race(units, owner, lambda unit: unit.totp_factors.take_step(user_id, 101)) == 1

    async def test_removed_factor_is_gone(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user)
        assert owner.user_id is not None
        async with units(owner) as unit:
            assert await unit.totp_factors.remove(owner.user_id)
            assert not await unit.totp_factors.remove(owner.user_id)
        async with units(owner) as unit:
            assert await unit.totp_factors.find(owner.user_id) is None
            assert await unit.totp_factors.enrol(a_totp_factor(owner.user_id), SECRET)

    async def test_rolled_back_step_can_be_taken_again(self, units: Units, new_user: NewUser) -> None:
        owner = await self._confirmed(units, new_user, step=100)
        assert owner.user_id is not None
        with pytest.raises(Abandoned):
            await self._take_and_leave(units, owner, owner.user_id)
        async with units(owner) as unit:
            assert await unit.totp_factors.take_step(owner.user_id, 101)

    async def _take_and_leave(self, units: Units, owner: Actor, user_id: UserId) -> None:
        async with units(owner) as unit:
            assert await unit.totp_factors.take_step(user_id, 101)
            raise Abandoned

    @pytest.mark.parametrize("is_known", [True, False])
    async def test_factor_of_another_user_does_not_exist(self, units: Units, new_user: NewUser, is_known: bool) -> None:
        owner = await self._confirmed(units, new_user, step=100)
        user_id, other = owner.user_id, the_owner(await new_user()) if is_known else NOBODY
        assert user_id is not None
        async with units(other) as unit:
            assert await unit.totp_factors.find(user_id) is None
            assert await unit.totp_factors.secret_of(user_id) is None
            assert not await unit.totp_factors.take_step(user_id, 101)
            assert not await unit.totp_factors.remove(user_id)
        with pytest.raises((PermissionDenied, Conflict)):
            async with units(other) as unit:
                await unit.totp_factors.enrol(a_totp_factor(await new_user()), SECRET)


class BackupCodesContract(FactorContract):
    async def test_each_code_is_good_once(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        codes = a_set_of_codes(user_id)
        async with units(the_owner(user_id)) as unit:
            assert await unit.backup_codes.count_left(user_id) == 0
            await unit.backup_codes.replace(user_id, codes)
        burned = []
        for code in (codes[0], codes[0], codes[9], replace(codes[1], code_hash=hashed("unknown"))):
            async with units(the_owner(user_id)) as unit:
                burned.append(await unit.backup_codes.burn(user_id, code.code_hash, at=MONDAY))
        assert burned == [True, False, True, False]
        async with units(the_owner(user_id)) as unit:
            assert await unit.backup_codes.count_left(user_id) == CODES_IN_A_SET - 2

    async def test_new_set_ends_the_old_one(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        old, new = a_set_of_codes(user_id, "old"), a_set_of_codes(user_id, "new")
        async with units(the_owner(user_id)) as unit:
            await unit.backup_codes.replace(user_id, old)
            await unit.backup_codes.burn(user_id, old[0].code_hash, at=MONDAY)
        async with units(the_owner(user_id)) as unit:
            await unit.backup_codes.replace(user_id, new)
        async with units(the_owner(user_id)) as unit:
            assert not await unit.backup_codes.burn(user_id, old[1].code_hash, at=MONDAY)
            assert await unit.backup_codes.count_left(user_id) == CODES_IN_A_SET
            assert await unit.backup_codes.burn(user_id, new[1].code_hash, at=MONDAY)
            await unit.backup_codes.replace(user_id, ())
        async with units(the_owner(user_id)) as unit:
            assert await unit.backup_codes.count_left(user_id) == 0

    async def test_two_sets_at_once_leave_one(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()

        async def store(label: str) -> None:
            async with units(the_owner(user_id)) as unit:
                await unit.backup_codes.replace(user_id, a_set_of_codes(user_id, label))
                await asyncio.sleep(0)

        won, errors = await outcomes(*(store(f"set {number}") for number in range(4)))
        assert won >= 1
        assert {type(error) for error in errors} <= {StaleVersion, Conflict}
        async with units(the_owner(user_id)) as unit:
            assert await unit.backup_codes.count_left(user_id) == CODES_IN_A_SET

    async def test_of_equal_codes_at_once_one_is_accepted(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        (code, *_) = codes = a_set_of_codes(user_id)
        async with units(the_owner(user_id)) as unit:
            await unit.backup_codes.replace(user_id, codes)
        owner = the_owner(user_id)
        assert await self._race(units, owner, lambda unit: unit.backup_codes.burn(user_id, code.code_hash, at=MONDAY)) == 1

    async def test_codes_of_another_user_do_not_exist(self, units: Units, new_user: NewUser) -> None:
        user_id, other = await new_user(), await new_user()
        codes = a_set_of_codes(user_id)
        async with units(the_owner(user_id)) as unit:
            await unit.backup_codes.replace(user_id, codes)
        for actor in (the_owner(other), NOBODY):
            async with units(actor) as unit:
                assert await unit.backup_codes.count_left(user_id) == 0
                assert not await unit.backup_codes.burn(user_id, codes[0].code_hash, at=MONDAY)
                assert not await unit.backup_codes.burn(other, codes[0].code_hash, at=MONDAY)
                await unit.backup_codes.replace(user_id, ())
        async with units(the_owner(user_id)) as unit:
            assert await unit.backup_codes.count_left(user_id) == CODES_IN_A_SET

    async def test_announced_facts_commit_with_the_unit(self, units: Units, new_user: NewUser) -> None:
        user_id = await new_user()
        async with units(the_owner(user_id)) as unit:
            unit.announce(BackupCodesReplaced(occurred_at=MONDAY, user_id=user_id))
