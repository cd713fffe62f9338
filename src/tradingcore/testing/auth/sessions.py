"""Contracts of sessions, their refresh tokens, and the news of changed rights."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Final, Protocol

import pytest

from tradingcore.auth.errors import SessionNotFound
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.session import (
    LONGEST_SESSION,
    REFRESH_GRACE,
    REFRESH_LIFETIME,
    AuthMethod,
    EndReason,
    RefreshToken,
    Session,
    hash_of_token,
    seal_successor,
)
from tradingcore.auth.ports.accounts import AccountRepository
from tradingcore.auth.ports.sessions import Rotation, SessionRepository
from tradingcore.kernel.authz import Actor, Assurance, UserId
from tradingcore.kernel.errors import Conflict, PermissionDenied, StaleVersion
from tradingcore.kernel.ports import UnitOfWorkFactory
from tradingcore.testing.auth.accounts import the_manager
from tradingcore.testing.auth.builders import an_account, the_owner_of
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_id
from tradingcore.testing.unit_of_work import AT_A_TIME, UnitOfWorkContract

SECOND: Final = timedelta(seconds=1)
HOME: Final = b"home".ljust(32)
CAFE: Final = b"cafe".ljust(32)


class SessionStorage(Protocol):
    """What the suite needs of a unit of work."""

    @property
    def accounts(self) -> AccountRepository: ...

    @property
    def sessions(self) -> SessionRepository: ...


Units = UnitOfWorkFactory[SessionStorage]


def a_session(user_id: UserId, **overrides: Any) -> Session:
    """Opened on Monday with a password, from home."""
    at = overrides.pop("at", MONDAY)
    session = Session.open(
        id=overrides.pop("id", SessionId(an_id())),
        user_id=user_id,
        methods=(AuthMethod.PASSWORD,),
        assurance=Assurance.AAL1,
        device_label="Firefox on Linux",
        network=HOME,
        longest=LONGEST_SESSION,
        at=at,
    )
    return replace(session, **overrides)


def a_refresh_token(session: Session, secret: bytes, **overrides: Any) -> RefreshToken:
    fields: dict[str, Any] = {
        "token_hash": hash_of_token(secret),
        "session_id": session.id,
        "user_id": session.user_id,
        "issued_at": session.created_at,
        "expires_at": session.expires_at,
    }
    return RefreshToken(**(fields | overrides))


def a_secret() -> bytes:
    return an_id().bytes + an_id().bytes


async def opened(units: Units, **overrides: Any) -> tuple[UserAccount, Session, bytes]:
    """Store an account with one session; the last is its refresh token."""
    account, secret = an_account(), a_secret()
    session = a_session(account.id, **overrides)
    async with units(an_actor()) as unit:
        saved = await unit.accounts.save(account)
        return saved, await unit.sessions.open(session, a_refresh_token(session, secret)), secret


async def rotated(units: Units, actor: Actor, session: Session, used: bytes, successor: bytes, **overrides: Any) -> Rotation | None:
    at = overrides.pop("at", MONDAY + SECOND)
    async with units(actor) as unit:
        return await unit.sessions.rotate(
            hash_of_token(used),
            a_refresh_token(session, successor, issued_at=at, expires_at=at + REFRESH_LIFETIME),
            sealed=seal_successor(used, successor),
            network=overrides.pop("network", HOME),
            device_label=overrides.pop("device_label", "Firefox on Linux"),
            at=at,
            grace=REFRESH_GRACE,
        )


@pytest.mark.asyncio
class SessionUnitOfWorkContract(UnitOfWorkContract[SessionStorage]):
    """Fixtures: ``units`` and ``outbox`` on one empty store, and ``units_of_users``: the factory that serves users' own calls."""

    announces: ClassVar[bool] = False
    _written: dict[int, tuple[UserId, SessionId]]

    @pytest.fixture(autouse=True)
    def _numbers(self) -> None:
        self._written = {number: (UserId(an_id()), SessionId(an_id())) for number in range(32)}

    @pytest.fixture
    def units_of_users(self, units: Units) -> Units:
        """The same as ``units`` unless users come in through another door, as a database role of their own."""
        return units

    async def write(self, unit: SessionStorage, number: int) -> None:
        user_id, session_id = self._written[number]
        await unit.accounts.save(an_account(id=user_id))
        session = a_session(user_id, id=session_id)
        await unit.sessions.open(session, a_refresh_token(session, a_secret()))

    async def written(self, unit: SessionStorage) -> int:
        return sum([len(await unit.sessions.list_live(user_id, at=MONDAY)) for user_id, _ in self._written.values()])

    async def read(self, unit: SessionStorage, number: int) -> Any:
        return await unit.sessions.get(self._written[number][1])

    async def save(self, unit: SessionStorage, aggregate: Any) -> Any:
        return await unit.sessions.save(aggregate)

    async def test_session_round_trip(self, units: Units) -> None:
        account, session, _ = await opened(units, methods=(AuthMethod.PROVIDER, AuthMethod.TOTP), assurance=Assurance.AAL2)
        async with units(an_actor()) as unit:
            assert await unit.sessions.get(session.id) == session
            renewed = session.renewed(methods=(AuthMethod.PASSKEY,), assurance=Assurance.AAL2, at=MONDAY + HOUR)
            await unit.sessions.save(renewed.ended(EndReason.SIGNED_OUT, at=MONDAY + HOUR))
        async with units(an_actor()) as unit:
            again = await unit.sessions.get(session.id)
        assert again.methods == (AuthMethod.PROVIDER, AuthMethod.TOTP, AuthMethod.PASSKEY)
        assert (again.ended_at, again.end_reason, again.user_id) == (MONDAY + HOUR, EndReason.SIGNED_OUT, account.id)

    async def test_live_sessions_are_listed_newest_first(self, units: Units) -> None:
        account, first, _ = await opened(units)
        later = [a_session(account.id, at=MONDAY + hour * HOUR) for hour in (2, 1)]
        over = a_session(account.id, at=MONDAY - 2 * REFRESH_LIFETIME)
        async with units(an_actor()) as unit:
            for session in (*later, over):
                await unit.sessions.open(session, a_refresh_token(session, a_secret()))
            ended = await unit.sessions.get(later[0].id)
            await unit.sessions.save(ended.ended(EndReason.SIGNED_OUT, at=MONDAY))
            listed = await unit.sessions.list_live(account.id, at=MONDAY + HOUR)
        assert [session.id for session in listed] == [later[1].id, first.id]

    async def test_a_live_token_is_rotated_and_the_session_slides(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        owner, at = the_owner_of(account), MONDAY + HOUR
        rotation = await rotated(
            units_of_users, owner, session, secret, a_secret(), at=at, network=CAFE, device_label="Safari on iPhone"
        )
        assert rotation is not None
        assert rotation.sealed_successor is None
        async with units_of_users(owner) as unit:
            assert await unit.sessions.get(session.id) == rotation.session
        slid = session.slid(network=CAFE, device_label="Safari on iPhone", at=at)
        assert replace(rotation.session, version=session.version) == slid
        assert slid.expires_at == at + REFRESH_LIFETIME

    async def test_a_repetition_within_the_grace_gives_the_same_successor(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        owner, successor = the_owner_of(account), a_secret()
        await rotated(units_of_users, owner, session, secret, successor)
        repeated = await rotated(units_of_users, owner, session, secret, a_secret(), at=MONDAY + SECOND + REFRESH_GRACE)
        assert repeated is not None
        assert repeated.sealed_successor is not None
        assert seal_successor(secret, repeated.sealed_successor) == successor
        assert repeated.session.last_seen_at == MONDAY + SECOND
        assert await rotated(units_of_users, owner, session, successor, a_secret(), at=MONDAY + HOUR) is not None

    async def test_a_repetition_after_the_grace_gives_nothing(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        owner = the_owner_of(account)
        await rotated(units_of_users, owner, session, secret, a_secret())
        late = MONDAY + SECOND + REFRESH_GRACE + timedelta(microseconds=1)
        assert await rotated(units_of_users, owner, session, secret, a_secret(), at=late) is None

    async def test_unknown_and_expired_tokens_are_not_rotated(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        owner = the_owner_of(account)
        assert await rotated(units_of_users, owner, session, a_secret(), a_secret()) is None
        assert await rotated(units_of_users, owner, session, secret, a_secret(), at=session.expires_at) is None
        assert await rotated(units_of_users, owner, session, secret, a_secret(), at=session.expires_at - SECOND) is not None

    async def test_tokens_of_an_ended_session_are_worthless(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        owner, successor = the_owner_of(account), a_secret()
        await rotated(units_of_users, owner, session, secret, successor)
        async with units_of_users(owner) as unit:
            current = await unit.sessions.get(session.id)
            await unit.sessions.save(current.ended(EndReason.SIGNED_OUT, at=MONDAY + 2 * SECOND))
        for token in (secret, successor):
            assert await rotated(units_of_users, owner, session, token, a_secret(), at=MONDAY + 3 * SECOND) is None

    async def test_another_users_token_is_not_rotated(self, units: Units, units_of_users: Units) -> None:
        _, session, secret = await opened(units)
        stranger, _, _ = await opened(units)
        actor = the_owner_of(stranger)
        assert await rotated(units_of_users, actor, replace(session, user_id=stranger.id), secret, a_secret()) is None
        async with units(an_actor()) as unit:
            assert (await unit.sessions.get(session.id)).version == session.version

    async def test_of_concurrent_rotations_one_wins_and_the_others_repeat_it(self, units: Units, units_of_users: Units) -> None:
        account, session, secret = await opened(units)
        successors = [a_secret() for _ in range(AT_A_TIME)]

        async def rotate(successor: bytes) -> Rotation | None:
            for _ in range(AT_A_TIME):
                try:
                    return await rotated(units_of_users, the_owner_of(account), session, secret, successor)
                except StaleVersion:
                    continue
            raise AssertionError("somebody else won every time")

        rotations = await asyncio.gather(*(rotate(successor) for successor in successors))
        winners = [
            one for one, rotation in zip(successors, rotations, strict=True) if rotation and rotation.sealed_successor is None
        ]
        repeated = [rotation.sealed_successor for rotation in rotations if rotation and rotation.sealed_successor is not None]
        assert len(winners) == 1
        assert {seal_successor(secret, sealed) for sealed in repeated} == set(winners)
        assert len(repeated) == AT_A_TIME - 1

    async def test_a_session_has_one_live_token(self, units: Units) -> None:
        _, session, _ = await opened(units)
        second = a_session(session.user_id)
        forged = a_refresh_token(second, a_secret(), session_id=session.id)
        with pytest.raises(Conflict):
            async with units(an_actor()) as unit:
                await unit.sessions.open(second, forged)
        async with units(an_actor()) as unit:
            assert len(await unit.sessions.list_live(session.user_id, at=MONDAY)) == 1

    async def test_all_sessions_end_save_one(self, units: Units, units_of_users: Units) -> None:
        account, first, secret = await opened(units)
        _, foreign, _ = await opened(units)
        more = [a_session(account.id) for _ in range(3)]
        async with units_of_users(the_owner_of(account)) as unit:
            for session in more:
                await unit.sessions.open(session, a_refresh_token(session, a_secret()))
            ended = await unit.sessions.end_all(account.id, EndReason.SIGNED_OUT_ELSEWHERE, at=MONDAY + SECOND, but=more[0].id)
            assert ended == 3
            assert [one.id for one in await unit.sessions.list_live(account.id, at=MONDAY + SECOND)] == [more[0].id]
            assert (await unit.sessions.get(first.id)).end_reason is EndReason.SIGNED_OUT_ELSEWHERE
            assert await unit.sessions.end_all(foreign.user_id, EndReason.SIGNED_OUT, at=MONDAY + SECOND) == 0
        assert await rotated(units_of_users, the_owner_of(account), first, secret, a_secret(), at=MONDAY + 2 * SECOND) is None
        async with units(an_actor()) as unit:
            assert (await unit.sessions.get(foreign.id)).ended_at is None

    async def test_where_a_user_was_seen_is_remembered(self, units: Units, units_of_users: Units) -> None:
        account, session, _ = await opened(units)
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.sessions.seen_from(account.id) == {(HOME, "Firefox on Linux")}
            current = await unit.sessions.get(session.id)
            await unit.sessions.save(current.ended(EndReason.SIGNED_OUT, at=MONDAY))
            other = a_session(account.id, device_label="Safari on iPhone", network=CAFE)
            await unit.sessions.open(other, a_refresh_token(other, a_secret()))
        async with units_of_users(the_owner_of(account)) as unit:
            assert await unit.sessions.seen_from(account.id) == {(HOME, "Firefox on Linux"), (CAFE, "Safari on iPhone")}
        stranger, _, _ = await opened(units)
        async with units_of_users(the_owner_of(stranger)) as unit:
            assert await unit.sessions.seen_from(account.id) == frozenset()

    async def test_another_users_session_is_not_found(self, units: Units, units_of_users: Units) -> None:
        account, session, _ = await opened(units)
        stranger, own, _ = await opened(units)
        actor = the_owner_of(stranger)
        async with units_of_users(actor) as unit:
            assert await unit.sessions.list_live(account.id, at=MONDAY) == []
            assert (await unit.sessions.get(own.id)).id == own.id
            with pytest.raises(SessionNotFound) as foreign:
                await unit.sessions.get(session.id)
            unknown = SessionId(an_id())
            with pytest.raises(SessionNotFound) as absent:
                await unit.sessions.get(unknown)
        assert str(foreign.value).replace(str(session.id), "") == str(absent.value).replace(str(unknown), "")
        with pytest.raises((SessionNotFound, StaleVersion)):
            async with units_of_users(actor) as unit:
                await unit.sessions.save(session.ended(EndReason.SIGNED_OUT, at=MONDAY))
        forged = a_session(account.id)
        with pytest.raises(PermissionDenied):
            async with units_of_users(actor) as unit:
                await unit.sessions.open(forged, a_refresh_token(forged, a_secret()))

    async def test_whoever_manages_users_may_end_sessions(self, units: Units, units_of_users: Units) -> None:
        account, session, _ = await opened(units)
        async with units_of_users(the_manager()) as unit:
            assert (await unit.sessions.get(session.id)).id == session.id
            assert await unit.sessions.end_all(account.id, EndReason.REVOKED_BY_STAFF, at=MONDAY) == 1
        async with units(an_actor()) as unit:
            assert (await unit.sessions.get(session.id)).end_reason is EndReason.REVOKED_BY_STAFF
