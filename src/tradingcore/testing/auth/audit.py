"""Contract of the audit trail's read side."""

from __future__ import annotations

import pytest

from tradingcore.auth.events import AccountFrozen, PasswordChanged
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.queries import AuditTrail
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.page import PageRequest
from tradingcore.testing.auth.accounts import Units, stored
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor
from tradingcore.testing.paging import assert_pages_walk


@pytest.mark.asyncio
class AuditTrailContract:
    """Fixtures: ``trail`` and ``units`` on one empty store."""

    @pytest.fixture
    def trail(self) -> AuditTrail:
        raise NotImplementedError("supply the trail under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_act_is_written_with_who_did_it(self, trail: AuditTrail, units: Units) -> None:
        account = await stored(units, an_account())
        operator = an_actor()
        async with units(operator) as unit:
            await unit.accounts.save(account.frozen(by="an operator", at=MONDAY))
        (entry,) = (await trail.list_about(the_owner_of(account), account.id, PageRequest())).items
        assert (entry.type, entry.user_id, entry.actor_id, entry.actor_name) == (
            AccountFrozen.type,
            account.id,
            None,
            operator.name,
        )
        assert entry.facts["by"] == "an operator"

    async def test_what_was_rolled_back_did_not_happen(self, trail: AuditTrail, units: Units) -> None:
        account = await stored(units, an_account())

        async def fail() -> None:
            async with units(an_actor()) as unit:
                await unit.accounts.save(account.frozen(by="an operator", at=MONDAY))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert not (await trail.list_about(the_owner_of(account), account.id, PageRequest())).items

    async def test_nobody_reads_what_concerns_another(self, trail: AuditTrail, units: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        await self._act(units, theirs, 2)
        for reader in (the_owner_of(mine), Actor.anonymous(TraceId("0" * 32))):
            assert not (await trail.list_about(reader, theirs.id, PageRequest())).items
        assert not (await trail.list_about(the_owner_of(theirs), mine.id, PageRequest())).items

    async def test_entries_are_paged_newest_first(self, trail: AuditTrail, units: Units) -> None:
        mine, theirs = await stored(units, an_account()), await stored(units, an_account())
        for account in (mine, theirs):
            await self._act(units, account, 8)
        owner = the_owner_of(mine)
        newest_first = (await trail.list_about(owner, mine.id, PageRequest())).items
        assert len(newest_first) == 8
        assert list(newest_first) == sorted(newest_first, key=lambda entry: (entry.at, entry.id), reverse=True)
        await assert_pages_walk(
            lambda page: trail.list_about(owner, mine.id, page), [entry.id for entry in newest_first], lambda entry: entry.id
        )

    async def _act(self, units: Units, account: UserAccount, times: int) -> None:
        for number in range(times):
            async with units(the_owner_of(account)) as unit:
                unit.announce(PasswordChanged(occurred_at=MONDAY + number * HOUR, user_id=account.id))
