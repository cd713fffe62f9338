from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.memory.database import IssuedRefreshToken, MemoryDatabase, MemoryUnit, Stored
from adapters.memory.table import Kept
from tradingcore.auth.errors import SessionNotFound
from tradingcore.auth.ids import SessionId
from tradingcore.auth.model.session import EndReason, RefreshToken, Session
from tradingcore.auth.ports.sessions import Rotation, SessionArchive, SessionLookup, SessionOwner, SessionRepository
from tradingcore.kernel.authz import Permission, UserId
from tradingcore.kernel.errors import PermissionDenied


class MemorySessionRepository(Stored[SessionId, Session], SessionRepository):
    def __init__(self, unit: MemoryUnit) -> None:
        super().__init__(unit, unit.database.sessions)
        self._tokens = unit.stage(unit.database.refresh_tokens)

    def _reaches(self, user_id: UserId) -> bool:
        actor = self._unit.actor
        return actor.is_platform or Permission.USERS_MANAGE in actor.permissions or actor.user_id == user_id

    def _of(self, user_id: UserId) -> Sequence[Session]:
        return self._staged.in_group(user_id) if self._reaches(user_id) else ()

    async def get(self, session_id: SessionId) -> Session:
        session = self._staged.find(session_id)
        if session is None or not self._reaches(session.user_id):
            raise SessionNotFound(f"there is no session {session_id}")
        return session

    async def list_live(self, user_id: UserId, *, at: datetime) -> Sequence[Session]:
        live = [session for session in self._of(user_id) if session.is_live(at)]
        return sorted(live, key=lambda session: (session.created_at, session.id), reverse=True)

    async def open(self, session: Session, token: RefreshToken) -> Session:
        actor = self._unit.actor
        if not actor.is_platform and actor.user_id != session.user_id:
            raise PermissionDenied("the database refuses this to the caller")
        saved = await super().save(session)
        self._tokens.save(Kept(value=IssuedRefreshToken(token)))
        return saved

    async def save(self, session: Session) -> Session:
        await self.get(session.id)
        saved = await super().save(session)
        if saved.ended_at is not None:
            self._revoke(saved.id, at=saved.ended_at)
        return saved

    def _revoke(self, session_id: SessionId, *, at: datetime) -> None:
        for row in self._tokens.in_group(session_id):
            if row.value.revoked_at is None:
                self._tokens.save(replace(row, value=replace(row.value, revoked_at=at)))

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
        row = self._tokens.find(used)
        session = None if row is None else self._staged.find(row.value.token.session_id)
        if row is None or session is None or not self._reaches(session.user_id) or not session.is_live(at):
            return None
        known = row.value
        if known.is_live(at):
            self._tokens.save(replace(row, value=replace(known, used_at=at, sealed_successor=sealed)))
            self._tokens.save(Kept(value=IssuedRefreshToken(successor)))
            return Rotation(session=await super().save(session.slid(network=network, device_label=device_label, at=at)))
        if known.used_at is None or known.used_at < at - grace or known.revoked_at is not None:
            return None
        return Rotation(session=session, sealed_successor=known.sealed_successor)

    async def end_all(self, user_id: UserId, reason: EndReason, *, at: datetime, but: SessionId | None = None) -> int:
        ending = [session for session in self._of(user_id) if session.is_live(at) and session.id != but]
        for session in ending:
            await self.save(session.ended(reason, at=at))
        return len(ending)

    async def seen_from(self, user_id: UserId) -> frozenset[tuple[bytes, str]]:
        return frozenset((session.network, session.device_label) for session in self._of(user_id))


class MemorySessionArchive(SessionArchive):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def forget(self, *, before: datetime) -> int:
        sessions, tokens = self._database.sessions, self._database.refresh_tokens
        over = [session.id for session in sessions.rows.values() if session.expires_at < before]
        for session_id in over:
            for token_hash in tuple(tokens.groups.get(session_id, ())):
                tokens.remove(token_hash)
            sessions.remove(session_id)
        return len(over)


class MemorySessionLookup(SessionLookup):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def for_authentication(self, session_id: SessionId, user_id: UserId) -> SessionOwner | None:
        session = self._database.sessions.rows.get(session_id)
        account = self._database.user_accounts.rows.get(user_id)
        if session is None or account is None or session.user_id != user_id:
            return None
        return SessionOwner(session=session, account=account)

    async def by_refresh_token(self, token_hash: bytes) -> Session | None:
        row = self._database.refresh_tokens.rows.get(token_hash)
        return None if row is None else self._database.sessions.rows.get(row.value.token.session_id)
