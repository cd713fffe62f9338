"""A fresh pair of tokens for a refresh token; the whole session for one that was used before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.events import RefreshReuse, SessionEnded
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.caller import Caller
from tradingcore.auth.model.opaque_token import opaque_token_bytes
from tradingcore.auth.model.session import (
    REFRESH_GRACE,
    REFRESH_LIFETIME,
    EndReason,
    Session,
    hash_of_token,
    longest_session,
    seal_successor,
)
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.auth.ports.sessions import SessionLookup
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.session_opening import OpenedSession, network_index, notify_owner
from tradingcore.auth.use_cases.token_issuing import TokenIssuer, refresh_token_of
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import StaleVersion
from tradingcore.kernel.ports import Clock, UnitOfWorkFactory
from tradingcore.kernel.use_case import UseCase

ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSessionCommand:
    token: str = field(repr=False)
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSession(UseCase[RefreshSessionCommand, OpenedSession]):
    """Exchange a refresh token for its successor (RFC 9700, 4.14.2: rotation with detection of reuse).

    The same client may repeat a call for a few seconds and gets the same successor: its tabs refresh at once, and answers get lost.
    Anything else that comes back after its successor was taken ends the session, because one of two holders is a thief. Raises
    `CredentialRefused`, the same for every reason.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    uow: UnitOfWorkFactory[AccountUnitOfWork]
    sessions: SessionLookup
    issuer: TokenIssuer
    mailer: Mailer
    sealer: Sealer
    clock: Clock

    async def handle(self, actor: Actor, command: RefreshSessionCommand) -> OpenedSession:
        used = opaque_token_bytes(command.token)
        found = None if used is None else await self.sessions.by_refresh_token(hash_of_token(used))
        if used is None or found is None:
            raise _refused()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                opened = await self._rotate(actor, found, used, command.caller)
                break
            except StaleVersion:
                # Where stores do not lock, somebody was faster: look again at what became of the token.
                if attempt == ATTEMPTS:
                    raise
        if opened is None:
            raise _refused()
        return opened

    async def _rotate(self, actor: Actor, found: Session, used: bytes, caller: Caller) -> OpenedSession | None:
        now, successor = self.clock.now(), self.issuer.new_secret()
        network = network_index(self.sealer, caller.network)
        expires_at = min(now + REFRESH_LIFETIME, found.absolute_at)
        async with self.uow(actor.acting_for(found.user_id)) as unit:
            rotation = await unit.sessions.rotate(
                hash_of_token(used),
                refresh_token_of(found, successor, at=now, expires_at=expires_at),
                sealed=seal_successor(used, successor),
                network=network,
                device_label=caller.device_label,
                at=now,
                grace=REFRESH_GRACE,
            )
            account = await unit.accounts.get(found.user_id)
            if rotation is None:
                await self._end(unit, account, found, EndReason.REFRESH_REUSE, now)
                return None
            session = rotation.session
            if rotation.sealed_successor is not None:
                if (session.network, session.device_label) != (network, caller.device_label):
                    await self._end(unit, account, found, EndReason.REFRESH_REUSE, now)
                    return None
                successor = seal_successor(used, rotation.sealed_successor)
            # Whoever became staff keeps no longer session than staff has.
            if not account.may_sign_in or now >= session.created_at + longest_session(is_staff=account.is_staff):
                await self._end(unit, account, session, EndReason.ACCOUNT_CHANGED, now)
                return None
            return OpenedSession(session=session, tokens=self.issuer.pair(session, account, successor, at=now))

    async def _end(self, unit: AccountUnitOfWork, account: UserAccount, found: Session, reason: EndReason, now: datetime) -> None:
        session = await unit.sessions.get(found.id)
        if not session.is_live(now):
            return
        await unit.sessions.save(session.ended(reason, at=now))
        if reason is EndReason.REFRESH_REUSE:
            unit.announce(RefreshReuse(occurred_at=now, user_id=session.user_id, session_id=session.id))
            values = {"device": session.device_label, "at": now.isoformat()}
            notify_owner(self.mailer, unit, account, "refresh_token_reuse", values)
        unit.announce(SessionEnded(occurred_at=now, user_id=session.user_id, session_id=session.id, reason=reason))


def _refused() -> CredentialRefused:
    return CredentialRefused("the refresh token is not valid: sign in again")
