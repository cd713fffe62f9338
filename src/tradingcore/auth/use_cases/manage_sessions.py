"""The sessions of a person: seen and ended by their owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tradingcore.auth.errors import CredentialRefused, SessionNotFound
from tradingcore.auth.events import SessionEnded
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.one_time_token import TokenPurpose
from tradingcore.auth.model.opaque_token import opaque_token_bytes
from tradingcore.auth.model.session import EndReason, Session, hash_of_token
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.sessions import SessionLookup
from tradingcore.kernel.authz import Actor, Permission, UserId
from tradingcore.kernel.errors import Unauthenticated
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessionsCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    session: Session
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessions(UseCase[ListSessionsCommand, Sequence[OwnSession]]):
    """Return the live sessions of the caller, the newest first. Raises `Unauthenticated` for an operator."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: ListSessionsCommand) -> Sequence[OwnSession]:
        async with self.uow(actor) as unit:
            live = await unit.sessions.list_live(_person(actor), at=self.clock.now())
        return [OwnSession(session=session, is_current=session.id == actor.session_id) for session in live]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessionCommand:
    session_id: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession(UseCase[EndSessionCommand, None]):
    """End one session of the caller; ending it again changes nothing. Raises `SessionNotFound`."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: EndSessionCommand) -> None:
        is_current = command.session_id == actor.session_id
        reason = EndReason.SIGNED_OUT if is_current else EndReason.SIGNED_OUT_ELSEWHERE
        async with self.uow(actor) as unit:
            if (await unit.sessions.get(command.session_id)).user_id != actor.user_id:
                # Staff may see it; what staff ends, it ends as staff: see `EndUserSessions`.
                raise SessionNotFound(f"there is no session {command.session_id}")
            await _end(unit, command.session_id, reason, self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessionsCommand:
    """``but_current`` leaves the session that asks."""

    but_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessions(UseCase[EndSessionsCommand, int]):
    """End the sessions of the caller, all of them or all others, and return how many those were."""

    permission: ClassVar[Permission] = Permission.ACCOUNT_OWN
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    clock: Clock

    async def handle(self, actor: Actor, command: EndSessionsCommand) -> int:
        now, user_id = self.clock.now(), _person(actor)
        current = SessionId(actor.session_id) if command.but_current and actor.session_id is not None else None
        async with self.uow(actor) as unit:
            ending = [session for session in await unit.sessions.list_live(user_id, at=now) if session.id != current]
            count = await unit.sessions.end_all(user_id, EndReason.SIGNED_OUT_ELSEWHERE, at=now, but=current)
            # A stranger's session may have asked for it.
            await unit.one_time_tokens.void(user_id, [TokenPurpose.CHANGE_ADDRESS])
            reason = EndReason.SIGNED_OUT_ELSEWHERE
            unit.announce(
                *(SessionEnded(occurred_at=now, user_id=user_id, session_id=session.id, reason=reason) for session in ending)
            )
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveSessionCommand:
    """``token`` is a refresh token of the session, for a client that has no access token left."""

    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveSession(UseCase[LeaveSessionCommand, None]):
    """Sign out here: end the session that calls, or the one that a refresh token belongs to.

    A token that belongs to none is no error: whoever leaves has left. Raises `Unauthenticated` for a caller without either.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    sessions: SessionLookup
    clock: Clock

    async def handle(self, actor: Actor, command: LeaveSessionCommand) -> None:
        if command.token is not None:
            secret = opaque_token_bytes(command.token)
            found = None if secret is None else await self.sessions.by_refresh_token(hash_of_token(secret))
            if found is not None:
                async with self.uow(actor.acting_for(found.user_id)) as unit:
                    await _end(unit, found.id, EndReason.SIGNED_OUT, self.clock)
        elif actor.session_id is not None:
            async with self.uow(actor) as unit:
                await _end(unit, SessionId(actor.session_id), EndReason.SIGNED_OUT, self.clock)
        else:
            raise CredentialRefused("there is no session to leave: send its access token or its refresh token")


async def _end(unit: AccountUnitOfWork, session_id: SessionId, reason: EndReason, clock: Clock) -> None:
    now, session = clock.now(), await unit.sessions.get(session_id)
    if session.is_live(now):
        await unit.sessions.save(session.ended(reason, at=now))
        unit.announce(SessionEnded(occurred_at=now, user_id=session.user_id, session_id=session.id, reason=reason))


def _person(actor: Actor) -> UserId:
    if actor.user_id is None:
        raise Unauthenticated("sessions belong to a person who has signed in")
    return actor.user_id
