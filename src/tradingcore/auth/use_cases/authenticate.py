"""From a credential to an actor."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Final, TypeAlias

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import ApiKeyId, SessionId
from tradingcore.auth.model.api_key import parse_token
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.policies.session_actor import actor_in_session
from tradingcore.auth.ports.keys import ApiKeyLookup, TicketStore
from tradingcore.auth.ports.sessions import SessionLookup
from tradingcore.auth.ports.tokens import AccessTokens
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import Unauthenticated
from tradingcore.kernel.ports import Clock, SecretSource
from tradingcore.kernel.use_case import UseCase

TICKET_LIFETIME: Final = timedelta(seconds=30)
TICKET_BYTES: Final = 32
KEY_PREFIX: Final = "tc_"
"""How API keys begin, and access tokens never do."""

_TICKET: Final = re.compile(r"[A-Za-z0-9\-_]{43}")

_REFUSED: Final = (
    "the credential is not valid, or no longer is: refresh the session, or sign in again; an API key has to be replaced"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Where what is behind a credential is looked up: the rows themselves, or what a process remembers of them."""

    sessions: SessionLookup
    keys: ApiKeyLookup

    async def hold(self, holder: Actor, *, at: datetime) -> bool:
        """Whether the credential behind an actor holds, and its owner has the rights that the actor has."""
        if holder.user_id is None or (holder.valid_until is not None and at >= holder.valid_until):
            return False
        if holder.session_id is not None:
            owner = await self.sessions.for_authentication(SessionId(holder.session_id), holder.user_id)
            if owner is None or not owner.session.is_live(at) or not owner.account.may_sign_in:
                return False
            return (owner.account.roles, owner.account.plan) == (holder.roles, holder.plan)
        key = None if holder.credential_id is None else await self.keys.find_for_authentication(ApiKeyId(holder.credential_id))
        return key is not None and key.holds(at) and (key.user.roles, key.user.plan) == (holder.roles, holder.plan)


Find: TypeAlias = Callable[[Credentials], Awaitable[Actor | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateBearerCommand:
    """``address`` is where the call comes from. ``is_sensitive``: nothing that is remembered will do."""

    token: str = field(repr=False)
    address: IPv4Address | IPv6Address | None = None
    is_sensitive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateBearer(UseCase[AuthenticateBearerCommand, Actor]):
    """Return who a bearer token, an API key or an access token, speaks for.

    Raises `CredentialRefused`, the same for every reason, and `Unavailable`. What is ``remembered`` may accept a credential; only
    what is ``stored`` refuses one, because it may be newer.
    """

    permission: ClassVar[Permission] = Permission.PUBLIC
    stored: Credentials
    remembered: Credentials
    access_tokens: AccessTokens
    policy: FactorPolicy
    clock: Clock

    async def handle(self, actor: Actor, command: AuthenticateBearerCommand) -> Actor:
        now = self.clock.now()
        is_key = command.token.startswith(KEY_PREFIX)
        try:
            find = self._by_key(command, actor, now) if is_key else self._by_session(command, actor, now)
            found = None if command.is_sensitive else await find(self.remembered)
            found = found or await find(self.stored)
        except CredentialRefused:
            found = None
        if found is None:
            raise CredentialRefused(_REFUSED)
        return found

    def _by_key(self, command: AuthenticateBearerCommand, actor: Actor, now: datetime) -> Find:
        presented = parse_token(command.token)

        async def find(credentials: Credentials) -> Actor | None:
            key = await credentials.keys.find_for_authentication(presented.id)
            if key is None:
                return None
            try:
                found = key.actor_for(presented, at=now, trace_id=actor.trace_id, address=command.address)
            except CredentialRefused:
                return None
            return replace(found, valid_until=key.expires_at)

        return find

    def _by_session(self, command: AuthenticateBearerCommand, actor: Actor, now: datetime) -> Find:
        claims = self.access_tokens.verify(command.token, at=now)

        async def find(credentials: Credentials) -> Actor | None:
            owner = await credentials.sessions.for_authentication(claims.session_id, claims.user_id)
            if owner is None or not owner.session.is_live(now) or not owner.account.may_sign_in:
                return None
            if owner.account.rights_version != claims.rights_version:
                return None
            return actor_in_session(owner.account, claims, self.policy, at=now, trace_id=actor.trace_id)

        return find


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckCredentialCommand:
    """The actor of a connection that lives longer than a request."""

    holder: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckCredential(UseCase[RecheckCredentialCommand, bool]):
    """Whether the credential behind an actor still holds: neither expired nor revoked, its owner's rights unchanged."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    stored: Credentials
    remembered: Credentials
    clock: Clock

    async def handle(self, actor: Actor, command: RecheckCredentialCommand) -> bool:
        now, holder = self.clock.now(), command.holder
        return await self.remembered.hold(holder, at=now) or await self.stored.hold(holder, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStreamTicketCommand:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTicket:
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStreamTicket(UseCase[IssueStreamTicketCommand, StreamTicket]):
    """Give a caller with a credential a ticket for one connection: single use, 30 seconds. Raises `Unauthenticated` for nobody."""

    # Any credential will do: what may be heard is decided topic by topic.
    permission: ClassVar[Permission] = Permission.PUBLIC
    tickets: TicketStore
    clock: Clock
    secrets: SecretSource

    async def handle(self, actor: Actor, command: IssueStreamTicketCommand) -> StreamTicket:
        if actor.user_id is None:
            raise Unauthenticated("a stream ticket is bound to a user's credential: send an access token or an API key")
        secret = self.secrets.token(TICKET_BYTES)
        expires_at = self.clock.now() + TICKET_LIFETIME
        token = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        await self.tickets.put(_hash_of(token), actor, expires_at=expires_at)
        return StreamTicket(token=token, expires_at=expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemStreamTicketCommand:
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemStreamTicket(UseCase[RedeemStreamTicketCommand, Actor]):
    """Return whom a ticket was issued to; it works once, and not after its key or session ended. Raises `CredentialRefused`."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    tickets: TicketStore
    stored: Credentials
    clock: Clock

    async def handle(self, actor: Actor, command: RedeemStreamTicketCommand) -> Actor:
        holder = None
        if _TICKET.fullmatch(command.token):
            holder = await self.tickets.take(_hash_of(command.token), at=self.clock.now())
        if holder is None or not await self.stored.hold(holder, at=self.clock.now()):
            raise CredentialRefused("the stream ticket is not valid or was used before")
        # The stream is a call of its own: what it does is not part of the request that bought the ticket, and is never sensitive.
        return replace(holder, trace_id=actor.trace_id, authentication_age=None, is_reading=False)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
