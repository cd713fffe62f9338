"""What a process remembers of credentials is forgotten in time: security.md A3."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import SigningRing, fixed_signing_ring
from adapters.memory.auth import remembered
from adapters.memory.auth.keys import MemoryApiKeyLookup, MemoryAuthUnits
from adapters.memory.auth.remembered import RememberedAccessTokens, RememberedApiKeyLookup, RememberedSessionLookup, RightsWatch
from adapters.memory.auth.rights import MemoryRightsFeed
from adapters.memory.auth.sessions import MemorySessionLookup
from adapters.memory.database import MemoryDatabase
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.access_token import LEEWAY, AccessClaims
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.session import ACCESS_LIFETIME, EndReason, Session
from tradingcore.auth.ports.sessions import RightsChange, SessionLookup, SessionOwner
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import Unavailable
from tradingcore.testing.auth.keys import ApiKeyLookupContract
from tradingcore.testing.auth.session_lookups import SessionLookupContract
from tradingcore.testing.auth.sessions import opened
from tradingcore.testing.auth.tokens import AccessTokensContract, some_claims
from tradingcore.testing.builders import MONDAY, an_actor
from tradingcore.testing.fakes import FakeClock, SequentialIds

Hook = Callable[[], Awaitable[None]]


class Feed(MemoryRightsFeed):
    """Can be cut off, and can hide what commits late."""

    is_away = False
    hidden: frozenset[int] = frozenset()

    async def changes(self, *, within: timedelta) -> Sequence[RightsChange]:
        if self.is_away:
            raise Unavailable("away")
        return [change for change in await super().changes(within=within) if change.sequence not in self.hidden]


class CountedLookup(MemorySessionLookup):
    reads = 0
    during: Hook | None = None

    async def for_authentication(self, session_id: SessionId, user_id: UserId) -> SessionOwner | None:
        self.reads += 1
        found = await super().for_authentication(session_id, user_id)
        if self.during is not None:
            await self.during()
        return found


@dataclass
class Desk:
    clock: FakeClock = field(default_factory=FakeClock)
    seconds: float = 100.0

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.units = MemoryAuthUnits(self.database, SequentialIds())
        self.feed = Feed(self.database)
        self.watch = RightsWatch(self.feed, now=lambda: self.seconds)
        self.stored = CountedLookup(self.database)
        self.lookup = RememberedSessionLookup(self.stored, self.watch)

    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        self.clock.advance(timedelta(seconds=seconds))

    async def end(self, session: Session) -> None:
        async with self.units(an_actor()) as unit:
            await unit.sessions.save((await unit.sessions.get(session.id)).ended(EndReason.SIGNED_OUT, at=MONDAY))

    async def demote(self, account: UserAccount) -> None:
        async with self.units(an_actor()) as unit:
            await unit.accounts.save((await unit.accounts.get(account.id)).with_new_rights())

    async def has_ended(self, session: Session) -> bool:
        found = await self.lookup.for_authentication(session.id, session.user_id)
        return found is None or found.session.ended_at is not None


async def test_a_session_is_read_once() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    await desk.watch.look()
    for _ in range(5):
        assert not await desk.has_ended(session)
    assert desk.stored.reads == 1


async def test_nothing_is_remembered_before_the_feed_was_heard() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    for _ in range(3):
        await desk.has_ended(session)
    assert desk.stored.reads == 3


async def test_an_end_is_known_with_the_next_look() -> None:
    desk = Desk()
    account, session, _ = await opened(desk.units)
    await desk.watch.look()
    await desk.has_ended(session)
    await desk.end(session)
    await desk.watch.look()
    assert await desk.has_ended(session)
    await desk.demote(account)
    await desk.watch.look()
    found = await desk.lookup.for_authentication(session.id, account.id)
    assert found is not None
    assert found.account.rights_version == account.rights_version + 1


async def test_the_news_of_others_forget_nothing_of_mine() -> None:
    desk = Desk()
    _, mine, _ = await opened(desk.units)
    _, theirs, _ = await opened(desk.units)
    await desk.watch.look()
    await desk.has_ended(mine)
    await desk.end(theirs)
    await desk.watch.look()
    await desk.has_ended(mine)
    assert desk.stored.reads == 1


async def test_a_change_that_commits_after_later_ones_is_heard() -> None:
    desk = Desk()
    _, late, _ = await opened(desk.units)
    _, other, _ = await opened(desk.units)
    await desk.watch.look()
    await desk.has_ended(late)
    await desk.end(late)
    await desk.end(other)
    desk.feed.hidden = frozenset({1})
    await desk.watch.look()
    desk.feed.hidden = frozenset()
    desk.pass_time(10)
    await desk.watch.look()
    assert await desk.has_ended(late)


async def test_a_row_that_changes_while_it_is_read_is_not_remembered() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    await desk.watch.look()

    async def change_and_tell() -> None:
        await desk.end(session)
        await desk.watch.look()

    desk.stored.during = change_and_tell
    assert not await desk.has_ended(session)
    desk.stored.during = None
    assert await desk.has_ended(session)


async def test_a_feed_that_went_silent_is_not_believed() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    await desk.watch.look()
    await desk.has_ended(session)
    desk.feed.is_away = True
    await desk.end(session)
    await desk.watch.look()
    assert not await desk.has_ended(session), "remembered, for a few seconds"
    desk.pass_time(remembered.STALE_SECONDS)
    await desk.watch.look()
    assert await desk.has_ended(session)
    reads = desk.stored.reads
    await desk.has_ended(session)
    assert desk.stored.reads == reads + 1


async def test_after_a_long_silence_everything_is_forgotten() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    await desk.watch.look()
    await desk.has_ended(session)
    await desk.end(session)
    desk.pass_time(remembered.WINDOW.total_seconds() + 1)
    await desk.watch.look()
    assert await desk.has_ended(session)


async def test_memory_is_bounded_in_time_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_ENTRIES", 2)
    desk = Desk()
    sessions = [(await opened(desk.units))[1] for _ in range(3)]
    await desk.watch.look()
    for session in sessions:
        await desk.has_ended(session)
    await desk.has_ended(sessions[2])
    assert desk.stored.reads == 3
    await desk.has_ended(sessions[0])
    assert desk.stored.reads == 4
    desk.pass_time(10)
    for _ in range(7):
        await desk.watch.look()
        desk.pass_time(10)
    await desk.has_ended(sessions[0])
    assert desk.stored.reads == 5


async def test_whoever_follows_hears_at_once() -> None:
    desk = Desk()
    _, session, _ = await opened(desk.units)
    following = asyncio.create_task(desk.watch.follow())
    await asyncio.sleep(0.01)
    await desk.has_ended(session)
    await desk.end(session)
    await asyncio.sleep(0.2)
    assert await desk.has_ended(session)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase(FakeClock())


class Stored:
    @pytest.fixture
    def units(self, database: MemoryDatabase) -> MemoryAuthUnits:
        return MemoryAuthUnits(database, SequentialIds())


class TestRememberedSessionLookup(Stored, SessionLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> SessionLookup:
        return RememberedSessionLookup(MemorySessionLookup(database), RightsWatch(MemoryRightsFeed(database)))


class TestRememberedApiKeyLookup(Stored, ApiKeyLookupContract):
    @pytest.fixture
    def lookup(self, database: MemoryDatabase) -> RememberedApiKeyLookup:
        return RememberedApiKeyLookup(MemoryApiKeyLookup(database), RightsWatch(MemoryRightsFeed(database)))


def some_tokens() -> JoserfcAccessTokens:
    return JoserfcAccessTokens(fixed_signing_ring(), issuer="test", audience="test")


def test_a_signature_is_checked_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, checks = [0.0], []
    inner = some_tokens()
    verify = inner.verify

    def counted(token: str, *, at: datetime) -> AccessClaims:
        checks.append(at)
        return verify(token, at=at)

    monkeypatch.setattr(inner, "verify", counted)
    tokens = RememberedAccessTokens(inner, now=lambda: seconds[0])
    claims = some_claims()
    token = tokens.issue(claims)
    assert [tokens.verify(token, at=MONDAY) for _ in range(3)] == [claims] * 3
    assert len(checks) == 1
    seconds[0] = remembered.LONGEST_SECONDS
    tokens.verify(token, at=MONDAY)
    assert len(checks) == 2
    with pytest.raises(CredentialRefused):
        tokens.verify(token, at=MONDAY + ACCESS_LIFETIME + LEEWAY)
    with pytest.raises(CredentialRefused):
        tokens.verify(token[:-4] + "AAAA", at=MONDAY)


class TestRememberedAccessTokens(AccessTokensContract):
    @pytest.fixture
    def ring(self) -> SigningRing:
        return SigningRing.fresh()

    @pytest.fixture
    def tokens(self, ring: SigningRing) -> RememberedAccessTokens:
        return RememberedAccessTokens(JoserfcAccessTokens(lambda: ring, issuer="test", audience="test"))

    @pytest.fixture
    def rotated(self, ring: SigningRing) -> RememberedAccessTokens:
        rotated = ring.rotated("ES256", at=MONDAY)
        return RememberedAccessTokens(JoserfcAccessTokens(lambda: rotated, issuer="test", audience="test"))

    @pytest.fixture
    def foreign(self) -> JoserfcAccessTokens:
        return some_tokens()
