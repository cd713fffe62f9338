"""Random calls of random callers, and what the model says of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Literal
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.engine import driver_of, transaction
from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.isolation.tables import API, HANDS, OWNED, WORKER, Owned
from tests.integration.postgres.isolation.world import Caller, Row, World, as_text, insertion, literal
from tradingcore.kernel.authz import Actor, Permission, Plan, Role, TraceId, UserId

Answer = frozenset[str] | int | Literal["refused"]
"""The keys of the rows that were seen or changed, their number, or that row-level security has refused the call."""

REFUSED: Literal["refused"] = "refused"
CONSTRAINT = "constraint"


class Undo(Exception):
    """Leaves a probe without a trace."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """``may_fail`` where a key may stand in the way of what row-level security allows."""

    role: DatabaseRole
    caller: Caller
    operation: str
    sql: str
    expected: Answer
    how: Literal["rows", "count", "copy", "cursor"] = "rows"
    writes: bool = False
    may_fail: bool = False


def a_world(dice: Random, *, users: int) -> World:
    world = World(dice)
    world.users = [world.uuid() for _ in range(users)]
    for name, table in OWNED.items():
        rows = world.rows.setdefault(name, [])
        for user in world.users:
            least = 1 if name == "public.user_accounts" else 0
            for _ in range(dice.randint(least, table.most_of_a_user)):
                if name != "public.refresh_tokens" or world.one("public.sessions", user_id=user):
                    rows.append(table.build(world, user, None))
    return world


def filling(world: World) -> str:
    """The script that replaces what is stored by ``world``."""
    rows = [insertion(name, row, override="overriding system value") for name in OWNED for row in world.of(name)]
    return "; ".join([f"truncate {', '.join(OWNED)} cascade", *rows])


def a_caller(world: World, table: str) -> Caller:
    """Nobody, a user of the world or a stranger to it, an administrator or the platform; often with something in hand."""
    dice, trace_id = world.dice, TraceId(world.hex32())
    user = UserId(dice.choice([*world.users, world.uuid()]))
    kind = dice.random()
    if kind < 0.2:
        actor = Actor.anonymous(trace_id)
    elif kind < 0.3:
        actor = Actor.system(trace_id)
    elif kind < 0.4:
        some = frozenset(dice.sample([Permission.USERS_MANAGE, Permission.KEYS_MANAGE, Permission.AUDIT_READ], 1))
        actor = Actor(trace_id=trace_id, user_id=user, permissions=some, name="manager")
    else:
        roles = frozenset(dice.sample(list(Role), dice.randint(0, 3)))
        actor = Actor.of_user(trace_id=trace_id, user_id=user, roles=roles, plan=dice.choice(list(Plan)), name="user")
    own = [name for name, (named, _) in HANDS.items() if named == table]
    names = [name for name in own if dice.random() < 0.5] + ([dice.choice(list(HANDS))] if dice.random() < 0.3 else [])
    return Caller(actor, {name: found for name in names if (found := _in_hand(world, name)) is not None})


def _in_hand(world: World, name: str) -> Any:
    table, column = HANDS[name]
    row = world.one(table)
    value = world.bytes32() if row is None or world.dice.random() < 0.2 else row[column]
    if name == "api_key_id" and isinstance(value, bytes):
        return world.uuid()
    return (value, world.bytes32()) if name == "throttle_keys" else value


@dataclass(frozen=True)
class _Call:
    """What every operation is made from."""

    world: World
    role: DatabaseRole
    name: str
    caller: Caller

    @property
    def table(self) -> Owned:
        return OWNED[self.name]

    @property
    def short(self) -> str:
        return self.name.replace(".", "_")

    @property
    def key(self) -> str:
        return " || '|' || ".join(f"{column}::text" for column in self.table.key)

    @property
    def dice(self) -> Random:
        return self.world.dice

    def key_of(self, row: Row) -> str:
        return "|".join(as_text(row[column]) for column in self.table.key)

    def holds(self, rule: str, row: Row, table: str | None = None) -> bool:
        return bool(getattr(OWNED[table or self.name].rules(self.role), rule)(row, self.caller, self.world))

    def seen(self, table: str | None = None) -> list[Row]:
        return [row for row in self.world.of(table or self.name) if self.holds("read", row, table)]

    def where(self) -> tuple[str, Callable[[Row], bool]]:
        """A predicate, as SQL and in Python."""
        owner, rows = self.table.owner, self.world.of(self.name)
        some = [self.dice.choice(rows)[owner] for _ in range(2)] if rows else []
        some = [one for one in some if one is not None] or [self.world.uuid() if owner != "key" else b"x"]
        picked = {self.key_of(row) for row in rows if self.dice.random() < 0.3}
        listed = ", ".join(literal(key) for key in sorted(picked)) or "''"
        match self.dice.randrange(4):
            case 0:
                return f"where {owner} = {literal(some[0])}", lambda row: row[owner] == some[0]
            case 1:
                return f"where {self.key} in ({listed})", lambda row: self.key_of(row) in picked
            case 2:
                sql = f"where {owner} = {literal(some[-1])} or {self.key} in ({listed})"
                return sql, lambda row: row[owner] == some[-1] or self.key_of(row) in picked
        return "where true", lambda _: True

    def probe(self, sql: str, expected: Iterable[str] | Answer, **more: Any) -> Probe:
        answer = expected if isinstance(expected, int) or expected == REFUSED else frozenset(expected)
        return Probe(role=self.role, caller=self.caller, operation="", sql=sql, expected=answer, **more)


def _select(call: _Call) -> Probe:
    sql, keep = call.where()
    return call.probe(f"select {call.key} from {call.name} {sql}", [call.key_of(row) for row in call.seen() if keep(row)])


def _view(call: _Call) -> Probe:
    sql, keep = call.where()
    return call.probe(f"select {call.key} from seen_{call.short} {sql}", [call.key_of(row) for row in call.seen() if keep(row)])


def _function(call: _Call) -> Probe:
    sql, keep = call.where()
    return call.probe(f"select {call.key} from found_{call.short}() {sql}", [call.key_of(row) for row in call.seen() if keep(row)])


def _cursor(call: _Call) -> Probe:
    return call.probe(f"select {call.key} from {call.name}", [call.key_of(row) for row in call.seen()], how="cursor")


def _copy(call: _Call) -> Probe:
    return call.probe(f"select {call.key} from {call.name}", [call.key_of(row) for row in call.seen()], how="copy")


def _join(call: _Call) -> Probe:
    other = call.dice.choice(list(OWNED))
    there = _Call(call.world, call.role, other, call.caller)
    mine, theirs = call.table.owner, there.table.owner
    if "key" in (mine, theirs):
        mine = theirs = ""
    condition = f"mine.{mine} = theirs.{theirs}" if mine else "true"
    pairs = {
        f"{call.key_of(row)} {there.key_of(match)}"
        for row in call.seen()
        for match in there.seen()
        if not mine or (row[mine] is not None and row[mine] == match[theirs])
    }
    sql = (
        f"select mine.key || ' ' || theirs.key from (select *, {call.key} as key from {call.name}) mine"
        f" join (select *, {there.key} as key from {other}) theirs on {condition}"
    )
    return call.probe(sql.replace("select *, key::text as key", "select key::text as key"), pairs)


def _aggregate(call: _Call) -> Probe:
    sql, keep = call.where()
    seen = [row for row in call.seen() if keep(row)]
    owners = {as_text(row[call.table.owner]) for row in seen if row[call.table.owner] is not None}
    largest = max(map(call.key_of, seen), default="")
    figures = f"count(*) || ' ' || count(distinct {call.table.owner}) || ' ' || coalesce(max({call.key}), '')"
    statement = f"select {figures} from {call.name} {sql}"
    return call.probe(statement, [f"{len(seen)} {len(owners)} {largest}"])


def _for_update(call: _Call) -> Probe:
    sql, keep = call.where()
    locked = [call.key_of(row) for row in call.seen() if keep(row) and call.holds("update", row)]
    return call.probe(f"select {call.key} from {call.name} {sql} for update", locked, writes=True)


def _insert(call: _Call) -> Probe:
    row = _proposed(call)
    sql = insertion(call.name, row, without=call.table.by_server)
    returns = call.dice.random() < 0.3
    allowed = call.holds("insert", row) and (not returns or call.holds("read", row))
    tail = f" returning {call.table.owner}" if returns else ""
    return call.probe(sql + tail, 1 if allowed else REFUSED, how="count", writes=True, may_fail=True)


def _proposed(call: _Call) -> dict[str, Any]:
    people = [call.caller.user_id, call.dice.choice(call.world.users)]
    return call.table.build(call.world, call.dice.choice(people), call.caller)


def _upsert(call: _Call) -> Probe:
    stored = call.dice.choice(call.world.of(call.name)) if call.world.of(call.name) else None
    row = _proposed(call)
    is_taken = stored is not None and not call.table.by_server and call.dice.random() < 0.7
    if is_taken:
        assert stored is not None
        row |= {column: stored[column] for column in call.table.key}
    present = next((one for one in call.world.of(call.name) if call.key_of(one) == call.key_of(row)), None)
    sql = insertion(call.name, row, without=call.table.by_server)
    if call.dice.random() < 0.3:
        allowed = call.holds("insert", row)
        return call.probe(f"{sql} on conflict do nothing", 1 if allowed else REFUSED, how="count", writes=True, may_fail=True)
    allowed = call.holds("insert", row) and call.holds("read", row)
    if present is not None:
        touched = {**present, **call.table.touch}
        allowed = (
            allowed
            and call.holds("read", present)
            and call.holds("update", present)
            and call.holds("becomes", touched)
            and call.holds("read", touched)
        )
    sql += f" on conflict ({', '.join(call.table.key)}) do update set {_assignments(call.table.touch)}"
    return call.probe(sql, 1 if allowed else REFUSED, how="count", writes=True, may_fail=True)


def _update(call: _Call) -> Probe:
    return _changed(call, call.table.touch)


def _give_away(call: _Call) -> Probe:
    owners: list[UUID] = [*call.world.users, call.world.uuid()]
    if call.caller.user_id is not None:
        owners.append(call.caller.user_id)
    ways: list[Mapping[str, Any]] = [*call.table.changes(call.world, call.caller)]
    if call.table.owner != "key":
        ways.append({call.table.owner: call.dice.choice(owners)})
    return _changed(call, call.dice.choice(ways))


def _changed(call: _Call, change: Mapping[str, Any]) -> Probe:
    sql, keep, returns = _narrowed(call)
    reads = bool(sql) or returns
    hit = [row for row in call.world.of(call.name) if call.holds("update", row) and keep(row)]
    hit = [row for row in hit if not reads or call.holds("read", row)]
    changed = [{**row, **change} for row in hit]
    allowed = all(call.holds("becomes", row) and (not reads or call.holds("read", row)) for row in changed)
    statement = f"update {call.name} set {_assignments(change)} {sql}"
    is_touch = change == call.table.touch
    if returns:
        keys = frozenset(map(call.key_of, changed)) if allowed else REFUSED
        return call.probe(f"{statement} returning {call.key}", keys, writes=True, may_fail=not is_touch)
    return call.probe(statement, len(hit) if allowed else REFUSED, how="count", writes=True, may_fail=not is_touch)


def _delete(call: _Call) -> Probe:
    sql, keep, returns = _narrowed(call)
    hit = [row for row in call.world.of(call.name) if call.holds("delete", row) and keep(row)]
    hit = [row for row in hit if not (sql or returns) or call.holds("read", row)]
    statement = f"delete from {call.name} {sql}"
    if returns:
        return call.probe(f"{statement} returning {call.key}", [call.key_of(row) for row in hit], writes=True, may_fail=True)
    return call.probe(statement, len(hit), how="count", writes=True, may_fail=True)


def _narrowed(call: _Call) -> tuple[str, Callable[[Row], bool], bool]:
    """A predicate or none, and whether rows come back: without either the policy for reading has no say."""
    sql, keep = call.where()
    if sql == "where true" or call.dice.random() < 0.3:
        sql, keep = "", lambda _: True
    return sql, keep, call.dice.random() < 0.5


def _assignments(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} = {literal(value)}" for column, value in change.items())


OPERATIONS: Mapping[str, Callable[[_Call], Probe]] = {
    "select": _select,
    "join": _join,
    "aggregate": _aggregate,
    "view": _view,
    "function": _function,
    "insert": _insert,
    "update": _update,
    "give away": _give_away,
    "delete": _delete,
    "upsert": _upsert,
    "for update": _for_update,
    "copy": _copy,
    "cursor": _cursor,
}


def a_probe(world: World, *, tables: Sequence[str] = tuple(OWNED), role: DatabaseRole | None = None) -> Probe:
    dice = world.dice
    name = dice.choice(tables)
    role = role or (API if dice.random() < 0.8 else WORKER)
    operation = dice.choice(list(OPERATIONS))
    probe = OPERATIONS[operation](_Call(world, role, name, a_caller(world, name)))
    return Probe(**{**vars(probe), "operation": operation})


async def answer_to(engine: AsyncEngine, probe: Probe) -> Answer | str:
    """Ask the database, and leave it as it was."""
    answers: list[Answer | str] = []
    with suppress(Undo):
        async with transaction(engine, probe.caller.actor) as connection:
            driver = driver_of(connection)
            if probe.caller.hand:
                await driver.execute("select " + ", ".join(_named(*item) for item in probe.caller.hand.items()))
            try:
                answers.append(await _ASK[probe.how](driver, probe.sql))
            except asyncpg.InsufficientPrivilegeError as error:
                if "row-level security" not in str(error):
                    raise
                answers.append(REFUSED)
            except asyncpg.IntegrityConstraintViolationError:
                answers.append(CONSTRAINT)
            raise Undo
    return answers[0]


def _named(name: str, value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    text = ",".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts)
    return f"set_config('app.{name}', '{text}', true)"


async def _rows(driver: Any, sql: str) -> Answer:
    return frozenset(row[0] for row in await driver.fetch(sql))


async def _count(driver: Any, sql: str) -> Answer | str:
    count = int((await driver.execute(sql)).split()[-1])
    return CONSTRAINT if sql.endswith("do nothing") and not count else count


async def _copied(driver: Any, sql: str) -> Answer:
    chunks: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        chunks.append(chunk)

    await driver.copy_from_query(sql, output=keep)
    return frozenset(b"".join(chunks).decode().replace("\\\\", "\\").split())


async def _fetched(driver: Any, sql: str) -> Answer:
    await driver.execute(f"declare found cursor for {sql}")
    return frozenset(row[0] for row in await driver.fetch("fetch all from found"))


_ASK: Mapping[str, Callable[[Any, str], Awaitable[Answer | str]]] = {
    "rows": _rows,
    "count": _count,
    "copy": _copied,
    "cursor": _fetched,
}


def agrees(probe: Probe, answer: Answer | str) -> bool:
    if answer == CONSTRAINT:
        # Only what row-level security lets through comes as far as to the keys.
        return probe.may_fail and probe.expected not in (REFUSED, 0, frozenset())
    return answer == probe.expected
