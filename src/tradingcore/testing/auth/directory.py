"""Contract of the directory of accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tradingcore.auth.model.account import AccountKind, AccountStatus, UserAccount
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.ports.keys import AuthUnitOfWork
from tradingcore.auth.queries import UserDirectory, UserFilter
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId
from tradingcore.kernel.page import PageRequest
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.builders import an_account, an_unverified_account, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id


def an_admin() -> Actor:
    roles = frozenset({Role.ADMIN})
    return Actor.of_user(trace_id=TraceId(an_id().hex), user_id=UserId(an_id()), roles=roles, plan=Plan.FREE, name="admin")


@pytest.mark.asyncio
class UserDirectoryContract:
    """Fixtures: ``directory``, serving users' own calls, and ``units``, which write as the platform, on one empty store."""

    @pytest.fixture
    def directory(self) -> UserDirectory:
        raise NotImplementedError("supply the directory under test")

    @pytest.fixture
    def units(self) -> UnitOfWorkFactory[AuthUnitOfWork]:
        raise NotImplementedError("supply the units of work of the same database")

    async def _store(self, units: UnitOfWorkFactory[AuthUnitOfWork], *accounts: UserAccount) -> None:
        async with units(an_actor()) as unit:
            for account in accounts:
                await unit.accounts.save(account)

    async def test_staff_pages_through_all_of_them_newest_first(
        self, directory: UserDirectory, units: UnitOfWorkFactory[AuthUnitOfWork]
    ) -> None:
        accounts = [an_account(created_at=MONDAY + hour * HOUR) for hour in (2, 0, 1)]
        await self._store(units, *accounts)
        first = await directory.search(an_admin(), UserFilter(), PageRequest(limit=2))
        assert [one.id for one in first.items] == [accounts[0].id, accounts[2].id]
        rest = await directory.search(an_admin(), UserFilter(), PageRequest(limit=2, after=first.next))
        assert [one.id for one in rest.items] == [accounts[1].id]
        assert rest.next is None
        assert replace(rest.items[0], version=0) == accounts[1]

    async def test_filters_narrow_together(self, directory: UserDirectory, units: UnitOfWorkFactory[AuthUnitOfWork]) -> None:
        ana = an_account(email=EmailAddress.parse("Ana@example.org"), roles=frozenset({Role.TRADER, Role.STUDENT}))
        claims_the_same = an_unverified_account(email=EmailAddress.parse("ana@Example.org"))
        bot = UserAccount.service(id=UserId(an_id()), name="bot", roles=frozenset({Role.TRADER}), plan=Plan.PRO, at=MONDAY)
        await self._store(units, ana, claims_the_same, bot)

        async def found(where: UserFilter) -> set[UserId]:
            return {one.id for one in (await directory.search(an_admin(), where, PageRequest())).items}

        address = EmailAddress.parse("ANA@example.org")
        assert await found(UserFilter(email=address)) == {ana.id, claims_the_same.id}
        assert await found(UserFilter(email=address, status=AccountStatus.UNVERIFIED)) == {claims_the_same.id}
        assert await found(UserFilter(role=Role.TRADER)) == {ana.id, bot.id}
        assert await found(UserFilter(role=Role.TRADER, kind=AccountKind.SERVICE)) == {bot.id}
        assert await found(UserFilter(role=Role.SUPERADMIN)) == set()

    async def test_others_find_nobody_but_themselves(
        self, directory: UserDirectory, units: UnitOfWorkFactory[AuthUnitOfWork]
    ) -> None:
        mine, theirs = an_account(), an_account()
        await self._store(units, mine, theirs)
        page = await directory.search(the_owner_of(mine), UserFilter(), PageRequest())
        assert [one.id for one in page.items] == [mine.id]
        assert not (await directory.search(Actor.anonymous(TraceId("0" * 32)), UserFilter(), PageRequest())).items
