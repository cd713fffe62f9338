"""Contract of erasing what is kept of a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from tradingcore.auth.ids import TrustedDeviceId
from tradingcore.auth.model.account import Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.totp import TotpFactor
from tradingcore.auth.model.trusted_device import TrustedDevice
from tradingcore.auth.ports.phones import PhoneRepository
from tradingcore.auth.use_cases.close_account import ErasingUnitOfWork
from tradingcore.kernel.errors import PermissionDenied, RuleViolation
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.builders import a_mailed_token, an_account, the_owner_of
from tradingcore.testing.auth.identities import an_identity
from tradingcore.testing.auth.phones import a_phone, a_proof
from tradingcore.testing.auth.sessions import a_refresh_token, a_secret, a_session
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_api_key, an_id

NAME = "Zenobia Quetzalcoatl"
"""Occurs nowhere else."""


class RecordsUnitOfWork(ErasingUnitOfWork, Protocol):
    __slots__ = ()

    @property
    def phones(self) -> PhoneRepository: ...


Units = UnitOfWorkFactory[RecordsUnitOfWork]


async def somebody(units: Units, *, name: str = NAME) -> UserAccount:
    """A person of whom something is kept in every place there is."""
    email = EmailAddress.parse(f"{name.replace(' ', '.')}.{an_id().hex}@example.org")
    account = an_account(profile=Profile(display_name=name), email=email)
    async with units(an_actor()) as unit:
        account = await unit.accounts.save(account)
    owner = the_owner_of(account)
    session = a_session(account.id, device_label=f"{name}'s browser")
    async with units(an_actor()) as unit:
        await unit.sessions.open(session, a_refresh_token(session, a_secret()))
        await unit.one_time_tokens.add(a_mailed_token(account, secret=account.id.bytes, bound_to=f"{name}@example.org"))
        await unit.identities.save(an_identity(account, name=name))
        await unit.totp_factors.enrol(TotpFactor(user_id=account.id, created_at=MONDAY), bytes(20))
        device = TrustedDevice(
            id=TrustedDeviceId(an_id()),
            token_hash=an_id().bytes * 2,
            user_id=account.id,
            label=f"{name}'s telephone",
            created_at=MONDAY,
            expires_at=MONDAY + timedelta(days=30),
        )
        await unit.trusted_devices.add(device)
        await unit.phones.put(a_phone(account))
        await unit.phones.start(a_proof(owner))
        key = an_api_key(name=f"{name}'s robot")
        await unit.api_keys.save(replace(key, user=replace(key.user, id=account.id)))
    return account


async def closed(units: Units, account: UserAccount) -> None:
    async with units(an_actor()) as unit:
        await unit.accounts.save((await unit.accounts.get(account.id)).closed(at=MONDAY + HOUR))


@pytest.mark.asyncio
class PersonalRecordsContract:
    """Fixtures: ``units`` on one store, and ``units_of_users``: the factory that serves users' own calls."""

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work under test")

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        return units

    async def test_nothing_is_left_of_a_person_and_everything_of_another(self, units: Units) -> None:
        erased, other = await somebody(units), await somebody(units, name="Ana")
        await closed(units, erased)
        async with units(an_actor()) as unit:
            assert await unit.personal_records.erase(erased.id)
        for person, number in ((erased, 0), (other, 1)):
            async with units(an_actor()) as unit:
                assert len(await unit.sessions.list_live(person.id, at=MONDAY)) == number
                assert len(await unit.identities.list_of(person.id)) == number
                assert len(await unit.trusted_devices.list_trusted(person.id, at=MONDAY)) == number
                assert (await unit.totp_factors.find(person.id) is not None) is bool(number)
                assert (await unit.phones.find(person.id) is not None) is bool(number)
                (key,) = [key for key in await unit.api_keys.list_all() if key.user.id == person.id]
                assert key.name == ("erased", "Ana's robot")[number]
        async with units(an_actor()) as unit:
            assert (await unit.accounts.get(other.id)).profile.display_name == "Ana"
            left = await unit.accounts.get(erased.id)
            assert (left.email, left.profile.display_name, left.password) == (None, "", None)

    async def test_a_second_time_there_is_nothing_to_erase(self, units: Units) -> None:
        person = await somebody(units)
        await closed(units, person)
        for expected in (True, False):
            async with units(an_actor()) as unit:
                assert await unit.personal_records.erase(person.id) is expected

    async def test_an_open_account_is_not_erased(self, units: Units) -> None:
        person = await somebody(units)
        with pytest.raises(RuleViolation, match="is not closed"):
            async with units(an_actor()) as unit:
                await unit.personal_records.erase(person.id)
        async with units(an_actor()) as unit:
            assert len(await unit.identities.list_of(person.id)) == 1

    async def test_nobody_but_the_platform_erases(self, units: Units, units_of_users: Units) -> None:
        person = await somebody(units)
        await closed(units, person)
        with pytest.raises(PermissionDenied):
            async with units_of_users(the_owner_of(person)) as unit:
                await unit.personal_records.erase(person.id)
