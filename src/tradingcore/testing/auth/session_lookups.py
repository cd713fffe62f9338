"""Contracts of how sessions are found, and of the news of changed rights."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.session import REFRESH_LIFETIME, EndReason, hash_of_token
from tradingcore.auth.ports.sessions import RightsFeed, SessionArchive, SessionLookup
from tradingcore.kernel.authz import UserId
from tradingcore.testing.auth.sessions import SECOND, Units, a_secret, opened, rotated
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import Abandoned


@pytest.mark.asyncio
class SessionLookupContract:
    """Fixtures: ``lookup`` and ``units`` on one empty store."""

    @pytest.fixture
    def lookup(self) -> SessionLookup:
        raise NotImplementedError("supply the look-up under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_a_session_is_found_with_its_owner(self, lookup: SessionLookup, units: Units) -> None:
        account, session, _ = await opened(units)
        await opened(units)
        found = await lookup.for_authentication(session.id, account.id)
        assert found is not None
        assert found.session == session
        facts = (found.account.id, found.account.roles, found.account.plan, found.account.status, found.account.rights_version)
        assert facts == (account.id, account.roles, account.plan, account.status, account.rights_version)
        assert found.account.is_verified

    async def test_it_is_found_by_its_own_user_only(self, lookup: SessionLookup, units: Units) -> None:
        _, session, _ = await opened(units)
        stranger, _, _ = await opened(units)
        assert await lookup.for_authentication(session.id, stranger.id) is None
        assert await lookup.for_authentication(SessionId(an_id()), session.user_id) is None

    async def test_an_end_and_new_rights_show_at_once(self, lookup: SessionLookup, units: Units) -> None:
        account, session, _ = await opened(units)
        async with units(an_actor()) as unit:
            await unit.sessions.save(session.ended(EndReason.SIGNED_OUT, at=MONDAY))
            await unit.accounts.save(account.with_new_rights())
        found = await lookup.for_authentication(session.id, account.id)
        assert found is not None
        assert (found.session.ended_at, found.account.rights_version) == (MONDAY, account.rights_version + 1)

    async def test_a_session_is_found_by_each_of_its_refresh_tokens(self, lookup: SessionLookup, units: Units) -> None:
        _, session, secret = await opened(units)
        successor = a_secret()
        await rotated(units, an_actor(), session, secret, successor)
        for token in (secret, successor):
            found = await lookup.by_refresh_token(hash_of_token(token))
            assert found is not None
            assert found.id == session.id
        assert await lookup.by_refresh_token(hash_of_token(a_secret())) is None


@pytest.mark.asyncio
class SessionArchiveContract:
    """Fixtures: ``archive`` and ``units`` on one empty store."""

    @pytest.fixture
    def archive(self) -> SessionArchive:
        raise NotImplementedError("supply the archive under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def test_sessions_are_forgotten_once_nobody_can_refresh_them(self, archive: SessionArchive, units: Units) -> None:
        account, session, secret = await opened(units)
        await rotated(units, an_actor(), session, secret, a_secret())
        _, other, _ = await opened(units, at=MONDAY + HOUR)
        end = MONDAY + SECOND + REFRESH_LIFETIME
        assert await archive.forget(before=end) == 0
        assert await archive.forget(before=end + SECOND) == 1
        async with units(an_actor()) as unit:
            assert await unit.sessions.seen_from(account.id) == frozenset()
            assert (await unit.sessions.get(other.id)).id == other.id
        assert await rotated(units, an_actor(), session, secret, a_secret()) is None


@pytest.mark.asyncio
class RightsFeedContract:
    """Fixtures: ``feed`` and ``units`` on one empty store, and ``keeper``: the feed of a process that may forget."""

    @pytest.fixture
    def keeper(self, feed: RightsFeed) -> RightsFeed:
        """The same as ``feed`` unless forgetting is for another database role."""
        return feed

    @pytest.fixture
    def feed(self) -> RightsFeed:
        raise NotImplementedError("supply the feed under test")

    @pytest.fixture
    def units(self) -> Units:
        raise NotImplementedError("supply the units of work of the same database")

    async def _heard(self, feed: RightsFeed) -> list[UserId]:
        changes = await feed.changes(within=HOUR)
        assert [change.sequence for change in changes] == sorted({change.sequence for change in changes})
        return [change.user_id for change in changes]

    async def test_ends_and_new_rights_are_news(self, feed: RightsFeed, units: Units) -> None:
        account, session, _ = await opened(units)
        assert await self._heard(feed) == []
        async with units(an_actor()) as unit:
            account = await unit.accounts.save(account.with_new_rights())
        async with units(an_actor()) as unit:
            await unit.sessions.save(session.ended(EndReason.SIGNED_OUT, at=MONDAY))
        assert await self._heard(feed) == [account.id, account.id]
        assert await self._heard(feed) == [account.id, account.id], "reading takes nothing away"

    async def test_a_refresh_is_no_news(self, feed: RightsFeed, units: Units) -> None:
        _, session, secret = await opened(units)
        await rotated(units, an_actor(), session, secret, a_secret())
        assert await self._heard(feed) == []

    async def test_what_was_rolled_back_is_no_news(self, feed: RightsFeed, units: Units) -> None:
        account, _, _ = await opened(units)

        async def abandon() -> None:
            async with units(an_actor()) as unit:
                await unit.accounts.save(account.with_new_rights())
                raise Abandoned

        with pytest.raises(Abandoned):
            await abandon()
        assert await self._heard(feed) == []

    async def test_whoever_waits_is_woken(self, feed: RightsFeed, units: Units) -> None:
        account, _, _ = await opened(units)
        loop = asyncio.get_running_loop()
        # The first wait may only begin to listen.
        await feed.wait(SECOND)
        waiting = asyncio.create_task(feed.wait(10 * SECOND))
        started = loop.time()
        await asyncio.sleep(0.05)
        async with units(an_actor()) as unit:
            await unit.accounts.save(account.with_new_rights())
        await waiting
        assert loop.time() - started < 5

    async def test_old_news_is_forgotten(self, feed: RightsFeed, keeper: RightsFeed, units: Units) -> None:
        account, _, _ = await opened(units)
        async with units(an_actor()) as unit:
            await unit.accounts.save(account.with_new_rights())
        assert await keeper.forget(older_than=HOUR) == 0
        assert await self._heard(feed) == [account.id]
        assert await keeper.forget(older_than=-HOUR) == 1
        assert await self._heard(feed) == []

    async def test_a_wait_ends_by_itself(self, feed: RightsFeed) -> None:
        await feed.wait(timedelta(milliseconds=50))
        await feed.wait(timedelta(milliseconds=50))
