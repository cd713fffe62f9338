"""From a credential to an actor."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import parse_token
from tradingcore.auth.ports.keys import ApiKeyLookup, TicketStore
from tradingcore.kernel.authz import Actor, Permission
from tradingcore.kernel.errors import Unauthenticated
from tradingcore.kernel.ports import Clock, SecretSource
from tradingcore.kernel.use_case import UseCase

TICKET_LIFETIME: Final = timedelta(seconds=30)
TICKET_BYTES: Final = 32
_TICKET: Final = re.compile(r"[A-Za-z0-9\-_]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateApiKeyCommand:
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateApiKey(UseCase[AuthenticateApiKeyCommand, Actor]):
    """Return who a bearer token speaks for. Raises `CredentialRefused`, the same for every reason."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    keys: ApiKeyLookup
    clock: Clock

    async def handle(self, actor: Actor, command: AuthenticateApiKeyCommand) -> Actor:
        presented = parse_token(command.token)
        key = await self.keys.find_for_authentication(presented.id)
        if key is None:
            raise CredentialRefused("the API key is not valid")
        return key.actor_for(presented, at=self.clock.now(), trace_id=actor.trace_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckCredentialCommand:
    """The actor of a connection that lives longer than a request."""

    holder: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckCredential(UseCase[RecheckCredentialCommand, bool]):
    """Whether the credential behind an actor still holds: neither expired nor revoked."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    keys: ApiKeyLookup
    clock: Clock

    async def handle(self, actor: Actor, command: RecheckCredentialCommand) -> bool:
        return await _still_holds(command.holder, self.keys, at=self.clock.now())


async def _still_holds(holder: Actor, keys: ApiKeyLookup, *, at: datetime) -> bool:
    if holder.credential_id is None:
        return False
    key = await keys.find_for_authentication(ApiKeyId(UUID(str(holder.credential_id))))
    return key is not None and key.revoked_at is None and at < key.expires_at


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
            raise Unauthenticated("a stream ticket is bound to a user's credential: send an API key as a bearer token")
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
    """Return whom a ticket was issued to; it works once, and not after its key ended. Raises `CredentialRefused`."""

    permission: ClassVar[Permission] = Permission.PUBLIC
    tickets: TicketStore
    keys: ApiKeyLookup
    clock: Clock

    async def handle(self, actor: Actor, command: RedeemStreamTicketCommand) -> Actor:
        holder = None
        if _TICKET.fullmatch(command.token):
            holder = await self.tickets.take(_hash_of(command.token), at=self.clock.now())
        if holder is None or not await _still_holds(holder, self.keys, at=self.clock.now()):
            raise CredentialRefused("the stream ticket is not valid or was used before")
        # The stream is a call of its own: what it does is not part of the request that bought the ticket.
        return replace(holder, trace_id=actor.trace_id)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
