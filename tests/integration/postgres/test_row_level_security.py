"""What each role sees of rows that have an owner, asked of the tables themselves; and that no policy can be weakened unnoticed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.keys import PostgresAuthUnits, PostgresTicketStore
from adapters.postgres.connect import connected
from adapters.postgres.engine import transaction
from tests.integration.postgres.sealing import SEALER
from tests.integration.postgres.server import TestDatabase
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.errors import PermissionDenied
from tradingcore.testing.auth.keys import store
from tradingcore.testing.builders import HOUR, MONDAY, an_actor, an_api_key, the_actor_of
from tradingcore.testing.fakes import SequentialIds

MINE, THEIRS = an_api_key(), an_api_key()
ME, THEM = the_actor_of(MINE), the_actor_of(THEIRS)
NOBODY, PLATFORM = Actor.anonymous(TraceId("0" * 32)), an_actor()
MY_TICKET, THEIR_TICKET = b"m" * 32, b"t" * 32

KEYS = "select id from public.api_keys"
USERS = "select id from public.user_accounts"
TICKETS = "select ticket_hash from public.stream_tickets"
# Without WHERE and RETURNING, which would bring in the policy for reading.
MOVE_KEY = f"update public.api_keys set user_id = '{THEM.user_id}'"
FORGE_KEY = (
    "insert into public.api_keys values (gen_random_uuid(), 1, "
    f"'{ME.user_id}', 'forged', decode(repeat('00', 32), 'hex'), null, now(), now() + interval '1 day', null, '{{}}', null) "
    "returning user_id"
)
FORGE_USER = (
    "insert into public.user_accounts (id, version, status, roles, plan, locale, time_zone, rights_version, created_at, kind) "
    "values (gen_random_uuid(), 1, 'active', '{superadmin}', 'pro', 'en', 'UTC', 1, now(), 'service') returning plan"
)
FORGE_TICKET = "insert into public.stream_tickets values (decode(repeat('00', 32), 'hex'), '{user}', '{{}}', now())"
REVOKE_ALL = "update public.api_keys set revoked_at = now() returning id"
RENAME_ALL = "update public.user_accounts set locale = 'es' returning id"
REFUSED = "refused"


class Undo(Exception):
    """Leaves a probe without a trace."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """``statement`` by ``actor`` through ``role`` must touch exactly ``expected``: first columns, a row count, or `REFUSED`."""

    role: str
    actor: Actor
    statement: str
    expected: Sequence[Any] | int | str
    named: Mapping[str, str] = field(default_factory=dict)


MY_KEY_NAMED = {"app.api_key_id": str(MINE.id)}
TICKET_NAMED = {"app.ticket_hash": THEIR_TICKET.hex()}
PROBES = (
    Probe(role="api", actor=ME, statement=KEYS, expected=[MINE.id]),
    Probe(role="api", actor=ME, statement=USERS, expected=[ME.user_id]),
    Probe(role="api", actor=ME, statement=TICKETS, expected=[MY_TICKET]),
    Probe(role="api", actor=ME, statement=REVOKE_ALL, expected=[MINE.id]),
    Probe(role="api", actor=ME, statement="update public.api_keys set version = 9", expected=1),
    Probe(role="api", actor=ME, statement=MOVE_KEY, expected=REFUSED),
    Probe(role="api", actor=ME, statement=FORGE_KEY, expected=[ME.user_id]),
    Probe(role="api", actor=THEM, statement=FORGE_KEY.partition(" returning")[0], expected=REFUSED),
    Probe(role="api", actor=ME, statement=FORGE_USER, expected=REFUSED),
    Probe(role="api", actor=ME, statement=FORGE_TICKET.format(user=ME.user_id), expected=1),
    Probe(role="api", actor=ME, statement=FORGE_TICKET.format(user=THEM.user_id), expected=REFUSED),
    Probe(role="api", actor=ME, statement="delete from public.stream_tickets", expected=1),
    Probe(role="api", actor=NOBODY, statement=KEYS, expected=[]),
    Probe(role="api", actor=NOBODY, statement=USERS, expected=[]),
    Probe(role="api", actor=NOBODY, statement=TICKETS, expected=[]),
    Probe(role="api", actor=NOBODY, statement=KEYS, named=MY_KEY_NAMED, expected=[MINE.id]),
    Probe(role="api", actor=NOBODY, statement=USERS, named=MY_KEY_NAMED, expected=[ME.user_id]),
    Probe(role="api", actor=NOBODY, statement=REVOKE_ALL, named=MY_KEY_NAMED, expected=[]),
    Probe(role="api", actor=NOBODY, statement=TICKETS, named=TICKET_NAMED, expected=[THEIR_TICKET]),
    Probe(role="api", actor=NOBODY, statement="delete from public.stream_tickets", named=TICKET_NAMED, expected=1),
    Probe(role="worker", actor=PLATFORM, statement=KEYS, expected=[MINE.id, THEIRS.id]),
    Probe(role="worker", actor=PLATFORM, statement=USERS, expected=[ME.user_id, THEM.user_id]),
    Probe(role="worker", actor=PLATFORM, statement=REVOKE_ALL, expected=[MINE.id, THEIRS.id]),
    Probe(role="worker", actor=PLATFORM, statement=FORGE_USER, expected=["pro"]),
    Probe(role="worker", actor=ME, statement=KEYS, expected=[]),
    Probe(role="worker", actor=ME, statement=USERS, expected=[]),
    Probe(role="worker", actor=ME, statement=REVOKE_ALL, expected=[]),
    Probe(role="worker", actor=ME, statement=RENAME_ALL, expected=[]),
    Probe(role="worker", actor=ME, statement=FORGE_KEY.partition(" returning")[0], expected=REFUSED),
    Probe(role="worker", actor=ME, statement=FORGE_USER.partition(" returning")[0], expected=REFUSED),
)


@pytest_asyncio.fixture
async def engines(
    database: TestDatabase, api_engine: AsyncEngine, worker_engine: AsyncEngine
) -> AsyncIterator[Mapping[str, AsyncEngine]]:
    units = PostgresAuthUnits(worker_engine, EventCodec(()), SequentialIds(), SEALER)
    async with units(PLATFORM) as unit:
        await store(unit, MINE)
        await store(unit, THEIRS)
    for ticket, holder in ((MY_TICKET, ME), (THEIR_TICKET, THEM)):
        await PostgresTicketStore(api_engine).put(ticket, holder, expires_at=MONDAY + HOUR)
    async with connected(database.administrator) as administrator:
        # As if somebody had been generous with columns: the policy alone must stop a key from changing hands.
        await administrator.execute("grant update (user_id) on public.api_keys to tc_api")
    yield {"api": api_engine, "worker": worker_engine}


async def wrong_answers(engines: Mapping[str, AsyncEngine]) -> list[Probe]:
    return [probe for probe in PROBES if await _ask(engines[probe.role], probe) != probe.expected]


async def _ask(engine: AsyncEngine, probe: Probe) -> Sequence[Any] | int | str:
    answers: list[Sequence[Any] | int | str] = []
    with suppress(Undo, PermissionDenied):
        async with transaction(engine, probe.actor) as connection:
            for name, value in probe.named.items():
                await connection.execute(text("select set_config(:name, :value, true)"), {"name": name, "value": value})
            result = await connection.execute(text(probe.statement))
            answers.append(sorted(row[0] for row in result) if result.returns_rows else result.rowcount)
            raise Undo
    return answers[0] if answers else REFUSED


async def test_each_role_sees_and_changes_exactly_what_it_may(engines: Mapping[str, AsyncEngine]) -> None:
    assert await wrong_answers(engines) == []


async def test_no_policy_can_be_weakened_unnoticed(engines: Mapping[str, AsyncEngine], database: TestDatabase) -> None:
    unnoticed = []
    async with connected(database.administrator) as administrator:
        policies = await administrator.fetch("select * from pg_policies where tablename = any($1)", _OWNED)
        assert len(policies) == 7
        for policy in policies:
            name = f"{policy['policyname']} on public.{policy['tablename']}"
            for mutation in _mutations(policy, name):
                await administrator.execute(mutation)
                if not await wrong_answers(engines):
                    unnoticed.append(mutation)
                await administrator.execute(f"drop policy if exists {name}; {_definition(policy, name)}")
    assert unnoticed == []
    assert await wrong_answers(engines) == []


_OWNED = ["api_keys", "stream_tickets"]


def _mutations(policy: Mapping[str, Any], name: str) -> Sequence[str]:
    open_reads = [f"alter policy {name} using (true)"] if policy["qual"] else []
    open_writes = [f"alter policy {name} with check (true)"] if policy["with_check"] else []
    return [f"drop policy {name}", *open_reads, *open_writes]


def _definition(policy: Mapping[str, Any], name: str) -> str:
    rules = [f"{clause} ({rule})" for clause, rule in (("using", policy["qual"]), ("with check", policy["with_check"])) if rule]
    return f"create policy {name} for {policy['cmd']} to {', '.join(policy['roles'])} {' '.join(rules)}"
