"""Contracts of the storage of accounts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from tradingcore.auth.errors import AccountNotFound, AddressTaken
from tradingcore.auth.model.account import AccountStatus, Avatar, Profile, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.one_time_token import OneTimeToken, TokenPurpose
from tradingcore.auth.ports.accounts import AccountLookup, AccountUnitOfWork
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.errors import Conflict, StaleVersion, TradingCoreError
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.builders import a_mailed_token, an_account, an_address, an_unverified_account, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME, Abandoned, UnitOfWorkContract, outcomes

Units = UnitOfWorkFactory[AccountUnitOfWork]
IDS = tuple(UserId(an_id()) for _ in range(32))


async def stored(units: Units, account: UserAccount) -> UserAccount:
    """Save it on behalf of the platform."""
    async with units(an_actor()) as unit:
        return await unit.accounts.save(account)


def the_manager() -> Actor:
    return Actor.of_user(
        trace_id=an_actor().trace_id, user_id=UserId(an_id()), roles=frozenset({Role.ADMIN}), plan=Plan.FREE, name="an admin"
    )


@pytest.mark.asyncio
class AccountUnitOfWorkContract(UnitOfWorkContract[AccountUnitOfWork]):
    """Fixtures: ``units`` and ``outbox`` on one empty store, and ``units_of_users``: the factory that serves users' own calls."""

    announces: ClassVar[bool] = False

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        """The same as ``units`` unless users come in through another door, as a database role of their own."""
        return units

    async def write(self, unit: AccountUnitOfWork, number: int) -> None:
        await unit.accounts.save(an_account(id=IDS[number]))

    async def written(self, unit: AccountUnitOfWork) -> int:
        count = 0
        for user_id in IDS:
            try:
                await unit.accounts.get(user_id)
            except AccountNotFound:
                continue
            count += 1
        return count

    async def read(self, unit: AccountUnitOfWork, number: int) -> Any:
        return await unit.accounts.get(IDS[number])

    async def save(self, unit: AccountUnitOfWork, aggregate: Any) -> Any:
        return await unit.accounts.save(aggregate)

    @pytest.mark.parametrize(
        "account",
        [
            an_account(
                roles=frozenset({Role.TRADER, Role.ADMIN}),
                plan=Plan.ENTERPRISE,
                rights_version=7,
                profile=Profile(
                    display_name="Ñandú \U0001f426",
                    locale="es",
                    time_zone="Asia/Tokyo",
                    avatar=Avatar(blob_key="avatars/1", media_type="image/png", sha256="ab" * 32, size=1024),
                ),
            ),
            an_account(email=None, password=None, password_changed_at=None, verified_at=None, profile=Profile()),
            an_unverified_account(),
            an_account(status=AccountStatus.FROZEN),
            an_account(status=AccountStatus.CLOSED, email=None, verified_at=None, profile=Profile(), closed_at=MONDAY),
        ],
        ids=["full", "bare", "unverified", "frozen", "closed"],
    )
    async def test_account_round_trip(self, units: Units, units_of_users: Units, account: UserAccount) -> None:
        saved = await stored(units, account)
        assert saved == replace(account, version=1)
        for reader in (the_owner_of(account), the_manager()):
            async with units_of_users(reader) as unit:
                assert await unit.accounts.get(account.id) == saved
        async with units(an_actor()) as unit:
            assert await unit.accounts.get(account.id) == saved

    async def test_every_field_can_change(self, units: Units) -> None:
        saved = await stored(units, an_account(profile=Profile()))
        other = an_unverified_account(id=saved.id, version=saved.version, rights_version=2, roles=frozenset({Role.STUDENT}))
        async with units(an_actor()) as unit:
            await unit.accounts.save(other)
        async with units(an_actor()) as unit:
            assert await unit.accounts.get(saved.id) == replace(other, version=2)

    async def test_another_users_account_is_not_found(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        unknown = UserId(an_id())
        async with units_of_users(the_owner_of(mine)) as unit:
            assert await unit.accounts.get(mine.id) == mine
            with pytest.raises(AccountNotFound) as foreign:
                await unit.accounts.get(theirs.id)
            with pytest.raises(AccountNotFound) as absent:
                await unit.accounts.get(unknown)
        assert str(foreign.value).replace(str(theirs.id), "") == str(absent.value).replace(str(unknown), "")

    async def test_another_users_account_cannot_be_saved(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        for account in (theirs, an_account()):
            with pytest.raises(AccountNotFound):
                async with units_of_users(the_owner_of(mine)) as unit:
                    await unit.accounts.save(replace(account, plan=Plan.PRO))
        async with units(an_actor()) as unit:
            assert await unit.accounts.get(theirs.id) == theirs

    async def test_manager_reaches_every_account(self, units: Units, units_of_users: Units) -> None:
        account = await stored(units, an_account())
        async with units_of_users(the_manager()) as unit:
            await unit.accounts.save(replace(account, status=AccountStatus.FROZEN))
        async with units(an_actor()) as unit:
            assert (await unit.accounts.get(account.id)).status is AccountStatus.FROZEN

    async def test_nobody_sees_no_account(self, units: Units, units_of_users: Units) -> None:
        account = await stored(units, an_account())
        async with units_of_users(Actor.anonymous(TraceId("0" * 32))) as unit:
            with pytest.raises(AccountNotFound):
                await unit.accounts.get(account.id)

    async def test_many_may_claim_an_address_and_one_can_have_proven_it(self, units: Units) -> None:
        address = an_address("ana")
        await stored(units, an_unverified_account(email=address))
        claim = await stored(units, an_unverified_account(email=EmailAddress.parse("ANA@example.org")))
        proven = await stored(units, an_account(email=address))
        with pytest.raises(AddressTaken):
            await stored(units, replace(claim, verified_at=MONDAY, status=AccountStatus.ACTIVE))
        with pytest.raises(AddressTaken):
            await stored(units, an_account(email=address))
        await stored(units, replace(proven, email=None, verified_at=None, status=AccountStatus.CLOSED, closed_at=MONDAY))
        await stored(units, replace(claim, verified_at=MONDAY, status=AccountStatus.ACTIVE))

    async def test_of_concurrent_proofs_of_an_address_one_wins(self, units: Units) -> None:
        address = an_address()
        claims = [await stored(units, an_unverified_account(email=address)) for _ in range(AT_A_TIME)]

        async def prove(claim: UserAccount) -> None:
            async with units(an_actor()) as unit:
                await unit.accounts.save(replace(claim, verified_at=MONDAY, status=AccountStatus.ACTIVE))
                await asyncio.sleep(0)

        won, errors = await outcomes(*(prove(claim) for claim in claims))
        assert won == 1
        assert all(isinstance(error, Conflict) for error in errors)

    async def test_token_gives_what_it_is_bound_to_once(self, units: Units, units_of_users: Units) -> None:
        account = await stored(units, an_account())
        token = a_mailed_token(account, bound_to="new@example.org", purpose=TokenPurpose.CHANGE_ADDRESS)
        async with units_of_users(the_owner_of(account)) as unit:
            await unit.one_time_tokens.add(token)
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) == token
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) is None
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) is None

    async def test_token_that_does_not_hold_gives_nothing(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        token, foreign = a_mailed_token(mine), a_mailed_token(theirs, secret=b"t" * 32)
        async with units(an_actor()) as unit:
            await unit.one_time_tokens.add(token)
            await unit.one_time_tokens.add(foreign)
        for token_hash, purpose, at in (
            (b"\0" * 32, TokenPurpose.VERIFY_ADDRESS, MONDAY),
            (token.token_hash, TokenPurpose.RESET_PASSWORD, MONDAY),
            (token.token_hash, TokenPurpose.VERIFY_ADDRESS, token.expires_at),
            (foreign.token_hash, TokenPurpose.VERIFY_ADDRESS, MONDAY),
        ):
            async with units_of_users(the_owner_of(mine)) as unit:
                assert await unit.one_time_tokens.consume(token_hash, purpose, at=at) is None
        async with units_of_users(the_owner_of(mine)) as unit:
            last = token.expires_at - timedelta(microseconds=1)
            assert await unit.one_time_tokens.consume(token.token_hash, TokenPurpose.VERIFY_ADDRESS, at=last) == token

    async def test_a_rolled_back_token_can_be_used_again(self, units: Units) -> None:
        account = await stored(units, an_account())
        token = a_mailed_token(account)
        async with units(an_actor()) as unit:
            await unit.one_time_tokens.add(token)

        async def use_and_fail() -> None:
            async with units(an_actor()) as unit:
                assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) == token
                raise Abandoned

        with pytest.raises(Abandoned):
            await use_and_fail()
        async with units(an_actor()) as unit:
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) == token

    async def test_of_concurrent_users_of_a_token_one_wins(self, units: Units) -> None:
        account = await stored(units, an_account())
        token = a_mailed_token(account)
        async with units(an_actor()) as unit:
            await unit.one_time_tokens.add(token)
        taken: list[OneTimeToken] = []

        async def use() -> None:
            async with units(an_actor()) as unit:
                found = await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY)
                await asyncio.sleep(0)
            if found is not None:
                taken.append(found)

        _, errors = await outcomes(*(use() for _ in range(AT_A_TIME)))
        assert taken == [token]
        assert all(isinstance(error, StaleVersion) for error in errors)

    async def test_void_tokens_are_worthless(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        reset = a_mailed_token(mine, secret=b"1" * 32, purpose=TokenPurpose.RESET_PASSWORD)
        verify = a_mailed_token(mine, secret=b"2" * 32)
        foreign = a_mailed_token(theirs, secret=b"3" * 32, purpose=TokenPurpose.RESET_PASSWORD)
        async with units(an_actor()) as unit:
            for token in (reset, verify, foreign):
                await unit.one_time_tokens.add(token)
        async with units_of_users(the_owner_of(mine)) as unit:
            await unit.one_time_tokens.void(mine.id, [TokenPurpose.RESET_PASSWORD, TokenPurpose.PROVE_ACCOUNT])
            await unit.one_time_tokens.void(theirs.id, [TokenPurpose.RESET_PASSWORD])
        async with units(an_actor()) as unit:
            left = [await unit.one_time_tokens.consume(one.token_hash, one.purpose, at=MONDAY) for one in (reset, verify, foreign)]
        assert left == [None, verify, foreign]

    async def test_what_expired_is_forgotten_by_the_platform_alone(self, units: Units, units_of_users: Units) -> None:
        account = await stored(units, an_account())
        old, fresh = a_mailed_token(account), a_mailed_token(account, secret=b"f" * 32, expires_at=MONDAY + 2 * HOUR)
        async with units(an_actor()) as unit:
            await unit.one_time_tokens.add(old)
            await unit.one_time_tokens.add(fresh)
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.one_time_tokens.forget_expired(before=MONDAY + 2 * HOUR) == 0
        async with units(an_actor()) as unit:
            assert await unit.one_time_tokens.forget_expired(before=MONDAY + 2 * HOUR) == 1
        async with units(an_actor()) as unit:
            assert await unit.one_time_tokens.consume(old.token_hash, old.purpose, at=MONDAY) is None
            assert await unit.one_time_tokens.consume(fresh.token_hash, fresh.purpose, at=MONDAY) == fresh

    async def test_token_cannot_be_made_for_another_user(self, units: Units, units_of_users: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        with pytest.raises(TradingCoreError):
            async with units_of_users(the_owner_of(mine)) as unit:
                await unit.one_time_tokens.add(a_mailed_token(theirs))
        async with units(an_actor()) as unit:
            token = a_mailed_token(theirs)
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) is None


@pytest.mark.asyncio
class AccountLookupContract:
    """Fixtures: ``lookup`` and ``units`` on one empty store."""

    @pytest.fixture
    def lookup(self) -> AccountLookup:
        raise NotImplementedError("supply the look-up under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_account_is_found_by_its_address_in_any_case(self, lookup: AccountLookup, units: Units) -> None:
        account = await stored(units, an_account(email=EmailAddress.parse("Ana.Pérez@Example.org")))
        await stored(units, an_account())
        assert await lookup.by_email(EmailAddress.parse("ana.pÉREZ@example.ORG")) == account
        assert await lookup.by_email(EmailAddress.parse("ana.perez@example.org")) is None

    async def test_proof_beats_claims_and_the_newest_claim_the_older(self, lookup: AccountLookup, units: Units) -> None:
        address = an_address()
        newest = await stored(units, an_unverified_account(email=address, created_at=MONDAY + HOUR))
        await stored(units, an_unverified_account(email=address))
        assert await lookup.by_email(address) == newest
        proven = await stored(units, an_account(email=address))
        assert await lookup.by_email(address) == proven

    async def test_frozen_account_is_found_and_a_closed_one_is_not(self, lookup: AccountLookup, units: Units) -> None:
        frozen = await stored(units, an_account(status=AccountStatus.FROZEN))
        assert frozen.email is not None
        assert await lookup.by_email(frozen.email) == frozen
        await stored(
            units, replace(frozen, status=AccountStatus.CLOSED, email=None, verified_at=None, closed_at=MONDAY, profile=Profile())
        )
        assert await lookup.by_email(frozen.email) is None

    async def test_owner_of_a_token_is_found_without_using_it_up(self, lookup: AccountLookup, units: Units) -> None:
        account = await stored(units, an_account())
        token = a_mailed_token(account)
        async with units(an_actor()) as unit:
            await unit.one_time_tokens.add(token)
        for _ in range(2):
            assert await lookup.by_one_time_token(token.token_hash, token.purpose) == account.id
        assert await lookup.by_one_time_token(token.token_hash, TokenPurpose.RESET_PASSWORD) is None
        assert await lookup.by_one_time_token(b"\0" * 32, token.purpose) is None
        async with units(an_actor()) as unit:
            assert await unit.one_time_tokens.consume(token.token_hash, token.purpose, at=MONDAY) == token
