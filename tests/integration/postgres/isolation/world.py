"""A small world of users and their rows, in Python and in the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from tradingcore.kernel.authz import Actor

Row = Mapping[str, Any]
NOW = datetime.now(UTC).replace(microsecond=0)
LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)


@dataclass(frozen=True)
class Caller:
    """Who asks: an actor, and what it has in hand (settings that name rows which are found before anybody is known)."""

    actor: Actor
    hand: Mapping[str, Any] = field(default_factory=dict)

    @property
    def user_id(self) -> UUID | None:
        return self.actor.user_id

    def may(self, permission: str) -> bool:
        return permission in self.actor.permissions


@dataclass
class World:
    dice: Random
    users: list[UUID] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def of(self, table: str) -> Sequence[Row]:
        return self.rows.get(table, ())

    def one(self, table: str, **where: Any) -> Row | None:
        """A random row of ``table`` with these values."""
        found = [row for row in self.of(table) if all(row[name] == value for name, value in where.items())]
        return self.dice.choice(found) if found else None

    def uuid(self) -> UUID:
        return UUID(int=self.dice.getrandbits(128), version=4)

    def bytes32(self) -> bytes:
        return self.dice.randbytes(32)

    def hex32(self) -> str:
        return self.dice.randbytes(16).hex()


Rule = Callable[[Row, Caller, World], bool]
Build = Callable[[World, UUID | None, Caller | None], dict[str, Any]]


def literal(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool() | int():
            return str(value).lower()
        case bytes():
            return f"'\\x{value.hex()}'"
        case list():
            return "'{" + ",".join(str(item) for item in value) + "}'"
        case dict():
            return f"'{json.dumps(value)}'"
        case datetime():
            return f"'{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"


def insertion(table: str, row: Row, *, without: Sequence[str] = (), override: str = "") -> str:
    names = [name for name in row if name not in without]
    values = ", ".join(literal(row[name]) for name in names)
    return f"insert into {table} ({', '.join(names)}) {override} values ({values})"


def as_text(value: Any) -> str:
    """``value`` as PostgreSQL casts it to text."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
