"""Stream tickets: security.md A16."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.auth.keys import MemoryApiKeyLookup, MemoryTicketStore
from adapters.memory.auth.sessions import MemorySessionLookup
from adapters.memory.database import MemoryDatabase
from tradingcore.auth.errors import CredentialRefused
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.use_cases.authenticate import (
    Credentials,
    IssueStreamTicket,
    IssueStreamTicketCommand,
    RedeemStreamTicket,
    RedeemStreamTicketCommand,
    StreamTicket,
)
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import Unauthenticated
from tradingcore.testing.builders import an_actor, an_api_key, the_actor_of
from tradingcore.testing.fakes import FakeClock, FakeSecrets

NOBODY = Actor.anonymous(TraceId("a" * 32))
KEY = an_api_key()
HOLDER = the_actor_of(KEY)
REDEEMED = replace(HOLDER, trace_id=NOBODY.trace_id)
"""The same person, on the trace of the stream."""


@dataclass
class Booth:
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        self.keep(KEY)
        tickets = MemoryTicketStore(self.database)
        self._issue = IssueStreamTicket(tickets=tickets, clock=self.clock, secrets=FakeSecrets())
        stored = Credentials(sessions=MemorySessionLookup(self.database), keys=MemoryApiKeyLookup(self.database))
        self._redeem = RedeemStreamTicket(tickets=tickets, stored=stored, clock=self.clock)

    def keep(self, key: ApiKey) -> None:
        self.database.api_keys.rows[key.id] = key

    async def issue(self, actor: Actor = HOLDER) -> StreamTicket:
        return await self._issue(actor, IssueStreamTicketCommand())

    async def redeem(self, token: str) -> Actor:
        return await self._redeem(NOBODY, RedeemStreamTicketCommand(token=token))


async def test_ticket_gives_back_whom_it_was_issued_to_once() -> None:
    booth = Booth()
    ticket = await booth.issue()
    assert await booth.redeem(ticket.token) == REDEEMED
    with pytest.raises(CredentialRefused, match="was used before"):
        await booth.redeem(ticket.token)


async def test_ticket_ends_with_its_key() -> None:
    booth = Booth()
    ticket = await booth.issue()
    booth.keep(KEY.revoked(at=booth.clock.now()))
    with pytest.raises(CredentialRefused):
        await booth.redeem(ticket.token)


async def test_of_many_at_once_one_gets_in() -> None:
    booth = Booth()
    ticket = await booth.issue()
    found = await asyncio.gather(*(booth.redeem(ticket.token) for _ in range(16)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Actor", *["CredentialRefused"] * 15]


async def test_ticket_lasts_thirty_seconds() -> None:
    booth = Booth()
    on_time, late = await booth.issue(), await booth.issue()
    assert on_time.expires_at == booth.clock.now() + timedelta(seconds=30)
    booth.clock.advance(timedelta(seconds=30) - timedelta(microseconds=1))
    assert await booth.redeem(on_time.token) == REDEEMED
    booth.clock.advance(timedelta(microseconds=1))
    with pytest.raises(CredentialRefused):
        await booth.redeem(late.token)


async def test_ticket_is_kept_by_hash_only() -> None:
    booth = Booth()
    ticket = await booth.issue()
    assert list(booth.database.tickets) == [hashlib.sha256(ticket.token.encode()).digest()]
    assert ticket.token not in repr(booth.database.tickets)
    assert len(ticket.token) == 43


async def test_ticket_needs_a_credential_of_a_user() -> None:
    for actor in (NOBODY, an_actor(), Actor.operator(TraceId("b" * 32))):
        with pytest.raises(Unauthenticated):
            await Booth().issue(actor)


async def test_changed_ticket_is_refused_and_does_not_use_up_the_right_one() -> None:
    booth = Booth()
    token = (await booth.issue()).token
    for changed in (token + "=", token + "A", " " + token, token[:-1], token + "\n", "!" + token, ""):
        with pytest.raises(CredentialRefused):
            await booth.redeem(changed)
    for position in range(len(token)):
        other = "B" if token[position] == "A" else "A"
        with pytest.raises(CredentialRefused):
            await booth.redeem(token[:position] + other + token[position + 1 :])
    assert await booth.redeem(token) == REDEEMED


@settings(deadline=None)
@given(token=st.text(max_size=100))
async def test_anything_else_is_refused_and_nothing_breaks(token: str) -> None:
    with pytest.raises(CredentialRefused):
        await Booth().redeem(token)
