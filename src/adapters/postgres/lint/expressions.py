"""Policies as the catalogue prints them, and questions about the text of their rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.postgres.roles import SCHEMAS

_POLICIES: Final = """
    select p.oid, p.polname as name, p.polrelid::regclass::text as table, p.polcmd::text as command,
        p.polpermissive as is_permissive,
        array(select case role when 0 then 'public' else role::regrole::text end from unnest(p.polroles) role) as roles,
        pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as with_check
    from pg_policy p join pg_class c on c.oid = p.polrelid
    where c.relnamespace::regnamespace::text = any ($1::text[]) order by 3, 2
    """
COMMANDS: Final = {"r": ("select",), "a": ("insert",), "w": ("update",), "d": ("delete",)}
_EVERY_COMMAND: Final = ("select", "insert", "update", "delete")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``using`` and ``with_check`` are SQL, ``None`` where the policy has no such rule."""

    oid: int
    name: str
    table: str
    commands: tuple[str, ...]
    roles: tuple[str, ...]
    is_permissive: bool
    using: str | None
    with_check: str | None

    @property
    def where(self) -> str:
        return f"{self.name} on {self.table}"

    @property
    def rules(self) -> tuple[str, ...]:
        """On one line, and without what stands in quotes, which may look like anything."""
        return tuple(_LITERAL.sub("''", " ".join(rule.split())) for rule in (self.using, self.with_check) if rule is not None)


async def policies(connection: Any) -> Sequence[Policy]:
    rows = await connection.fetch(_POLICIES, list(SCHEMAS))
    return [
        Policy(
            oid=row["oid"],
            name=row["name"],
            table=row["table"],
            commands=COMMANDS.get(row["command"], _EVERY_COMMAND),
            roles=tuple(row["roles"]),
            is_permissive=row["is_permissive"],
            using=row["using"],
            with_check=row["with_check"],
        )
        for row in rows
    ]


def calls_outside_of_a_subselect(rule: str, functions: Sequence[str]) -> Iterator[str]:
    """The functions that ``rule`` calls for every row: the planner runs a call once only inside ``(select ...)``."""
    names = "|".join(re.escape(name) for name in functions)
    for call in re.finditer(rf"(?<![\w.])(?:{names})\(", rule):
        if not any(opened.startswith("( SELECT ") for opened in _enclosing(rule, call.start())):
            yield call.group().rstrip("(")


def subselects(rule: str) -> Iterator[tuple[str, str]]:
    """Each sub-select on a table, as (the word before its parenthesis, its text)."""
    for start in re.finditer(r"(\w*)\s*\( SELECT ", rule):
        text = _group(rule, rule.index("(", start.start()))
        if re.search(r" FROM ", _flat(text)):
            yield start.group(1), text


def _enclosing(rule: str, position: int) -> list[str]:
    opened: list[int] = []
    for place, letter in enumerate(rule[:position]):
        if letter == "(":
            opened.append(place)
        elif letter == ")":
            opened.pop()
    return [rule[place:] for place in opened]


def _group(rule: str, start: int) -> str:
    depth = 0
    for place in range(start, len(rule)):
        depth += {"(": 1, ")": -1}.get(rule[place], 0)
        if depth == 0:
            return rule[start : place + 1]
    raise AssertionError("the catalogue prints balanced parentheses")


def _flat(group: str) -> str:
    """``group`` without the groups inside it."""
    inside = group[1:-1]
    while (shorter := re.sub(r"\([^()]*\)", "", inside)) != inside:
        inside = shorter
    return inside
