from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Update, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import transaction
from adapters.postgres.rows.auth.sessions import refresh_token_to_row, session_from_row, session_to_row
from adapters.postgres.tables.auth.accounts import refresh_tokens, sessions, user_accounts
from adapters.postgres.unit import NOBODY, PostgresUnit
from tradingcore.auth.errors import SessionNotFound
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.account import AccountStatus, Profile, UserAccount
from tradingcore.auth.model.session import EndReason, RefreshToken, Session
from tradingcore.auth.ports.sessions import Rotation, SessionArchive, SessionLookup, SessionOwner, SessionRepository
from tradingcore.kernel.authz import Actor, Plan, Role, TraceId, UserId

_PLATFORM: Final = Actor.system(TraceId("0" * 32), name="session archive")
_NAME_TOKEN: Final = text("select set_config('app.refresh_hash', :hash, true)")
_OWNER: Final = tuple(
    user_accounts.c[name].label(f"account_{name}")
    for name in (
        "version",
        "status",
        "roles",
        "plan",
        "locale",
        "time_zone",
        "rights_version",
        "created_at",
        "verified_at",
        "closed_at",
    )
)
_WITH_OWNER: Final = select(sessions, *_OWNER).join(user_accounts, user_accounts.c.id == sessions.c.user_id)


class PostgresSessionRepository(SessionRepository):
    """Which rows exist for the actor is decided by row-level security.

    Locks are taken in one order, account before sessions and a session before its tokens, so that nobody waits in a circle.
    """

    def __init__(self, unit: PostgresUnit) -> None:
        self._unit = unit

    async def get(self, session_id: SessionId) -> Session:
        statement = select(sessions).where(sessions.c.id == session_id).with_for_update(key_share=True)
        row = (await self._unit.connection.execute(statement)).one_or_none()
        if row is None:
            raise SessionNotFound(f"there is no session {session_id}")
        return session_from_row(row)

    async def list_live(self, user_id: UserId, *, at: datetime) -> Sequence[Session]:
        statement = (
            select(sessions)
            .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > at)
            .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
        )
        return [session_from_row(row) for row in await self._unit.connection.execute(statement)]

    async def open(self, session: Session, token: RefreshToken) -> Session:
        # Whoever counts the sessions of this user next sees this one.
        owner = select(user_accounts.c.id).where(user_accounts.c.id == session.user_id).with_for_update(key_share=True)
        await self._unit.connection.execute(owner)
        saved = await self._unit.save(sessions, session, session_to_row(session), what=f"session {session.id}")
        await self._unit.connection.execute(insert(refresh_tokens), refresh_token_to_row(token))
        return saved

    async def save(self, session: Session) -> Session:
        saved = await self._unit.save(sessions, session, session_to_row(session), what=f"session {session.id}")
        if session.ended_at is not None:
            await self._unit.connection.execute(_revoke([session.id], session.ended_at))
        return saved

    async def rotate(
        self,
        used: bytes,
        successor: RefreshToken,
        *,
        sealed: bytes,
        network: bytes,
        device_label: str,
        at: datetime,
        grace: timedelta,
    ) -> Rotation | None:
        connection = self._unit.connection
        mine = select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == used).scalar_subquery()
        locked = select(sessions).where(sessions.c.id == mine).with_for_update(key_share=True)
        row = (await connection.execute(locked)).one_or_none()
        if row is None or not (session := session_from_row(row)).is_live(at):
            return None
        # A statement of its own, so that it sees what the one before us at the lock has committed.
        taken = await connection.execute(_use(used, sealed, at))
        if taken.rowcount == 1:
            await connection.execute(insert(refresh_tokens), refresh_token_to_row(successor))
            slid = session.slid(network=network, device_label=device_label, at=at)
            saved = await self._unit.save(sessions, slid, session_to_row(slid), what=f"session {session.id}")
            return Rotation(session=saved)
        repeated = select(refresh_tokens.c.successor_sealed).where(
            refresh_tokens.c.token_hash == used,
            refresh_tokens.c.used_at >= at - grace,
            refresh_tokens.c.revoked_at.is_(None),
        )
        known = (await connection.execute(repeated)).scalar_one_or_none()
        return None if known is None else Rotation(session=session, sealed_successor=bytes(known))

    async def end_all(self, user_id: UserId, reason: EndReason, *, at: datetime, but: SessionId | None = None) -> int:
        live = select(sessions.c.id).where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > at)
        if but is not None:
            live = live.where(sessions.c.id != but)
        locked = await self._unit.connection.execute(live.order_by(sessions.c.id).with_for_update(key_share=True))
        ids = [row.id for row in locked]
        if not ids:
            return 0
        ending = update(sessions).where(sessions.c.id.in_(ids))
        ended = ending.values(ended_at=at, end_reason=reason, version=sessions.c.version + 1)
        await self._unit.connection.execute(ended)
        await self._unit.connection.execute(_revoke(ids, at))
        return len(ids)

    async def seen_from(self, user_id: UserId) -> frozenset[tuple[bytes, str]]:
        statement = select(sessions.c.network, sessions.c.device_label).where(sessions.c.user_id == user_id).distinct()
        return frozenset((bytes(network), label) for network, label in await self._unit.connection.execute(statement))


def _use(used: bytes, sealed: bytes, at: datetime) -> Update:
    return (
        update(refresh_tokens)
        .where(
            refresh_tokens.c.token_hash == used,
            refresh_tokens.c.used_at.is_(None),
            refresh_tokens.c.revoked_at.is_(None),
            refresh_tokens.c.expires_at > at,
        )
        .values(used_at=at, successor_sealed=sealed)
    )


def _revoke(ids: Sequence[SessionId], at: datetime) -> Update:
    revoked = update(refresh_tokens).where(refresh_tokens.c.session_id.in_(ids), refresh_tokens.c.revoked_at.is_(None))
    return revoked.values(revoked_at=at)


class PostgresSessionArchive(SessionArchive):
    """The role of ``engine`` is ``tc_worker``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def forget(self, *, before: datetime) -> int:
        async with transaction(self._engine, _PLATFORM) as connection:
            gone = await connection.execute(delete(sessions).where(sessions.c.expires_at < before))
            return gone.rowcount


class PostgresSessionLookup(SessionLookup):
    """The role of ``engine`` is ``tc_api``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def for_authentication(self, session_id: SessionId, user_id: UserId) -> SessionOwner | None:
        async with transaction(self._engine, NOBODY.acting_for(user_id), read_only=True) as connection:
            row = (await connection.execute(_WITH_OWNER.where(sessions.c.id == session_id))).one_or_none()
        return None if row is None else SessionOwner(session=session_from_row(row), account=_account_from(row))

    async def by_refresh_token(self, token_hash: bytes) -> Session | None:
        statement = (
            select(sessions)
            .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
            .where(refresh_tokens.c.token_hash == token_hash)
        )
        async with transaction(self._engine, NOBODY, read_only=True) as connection:
            await connection.execute(_NAME_TOKEN, {"hash": token_hash.hex()})
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else session_from_row(row)


def _account_from(row: Any) -> UserAccount:
    return UserAccount(
        version=row.account_version,
        id=UserId(row.user_id),
        status=AccountStatus(row.account_status),
        email=None,
        password=None,
        password_changed_at=None,
        roles=frozenset(map(Role, row.account_roles)),
        plan=Plan(row.account_plan),
        profile=Profile(locale=row.account_locale, time_zone=row.account_time_zone),
        rights_version=row.account_rights_version,
        created_at=row.account_created_at,
        verified_at=row.account_verified_at,
        closed_at=row.account_closed_at,
    )
