"""Ways to weaken a policy, each as the statement that does it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.postgres.roles import SCHEMAS, DatabaseRole
from tests.integration.postgres.isolation.tables import OWNED

_POLICIES = """
    select schemaname || '.' || tablename as table, policyname as name, roles::text[] as roles, cmd, qual, with_check
    from pg_policies where schemaname = any ($1::text[]) order by 1, 2
    """
UNBOUND = "auditor_reads on audit.events"
"""Open to its role on purpose, and tested by itself."""


@dataclass(frozen=True)
class Mutation:
    table: str
    role: DatabaseRole
    name: str
    sql: str


async def mutations(connection: Any) -> list[Mutation]:
    """All of them, of all policies."""
    rows = await connection.fetch(_POLICIES, list(SCHEMAS))
    return [
        Mutation(row["table"], DatabaseRole(row["roles"][0]), f"{row['name']} on {row['table']}: {name}", sql)
        for row in rows
        if f"{row['name']} on {row['table']}" != UNBOUND
        for name, sql in _ways(row)
    ]


def _ways(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    where, using, check = f"{policy['name']} on {policy['table']}", policy["qual"], policy["with_check"]
    yield "dropped", f"drop policy {where}"
    yield "set true", f"alter policy {where} " + ("using (true)" if using else "with check (true)")
    if using and check:
        yield "without its check", f"alter policy {where} with check (true)"
    swapped = [
        f"{clause} ({_swapped(rule, OWNED[policy['table']].owner)})"
        for clause, rule in (("using", using), ("with check", check))
        if rule
    ]
    column = f"alter table {policy['table']} add other_owner uuid default gen_random_uuid()"
    yield "compares something else", f"{column}; alter policy {where} {' '.join(swapped)}"


def _swapped(rule: str, owner: str) -> str:
    """Another column than the owner's; where a rule knows no owner, another setting or another permission."""
    for pattern, other in (
        (rf"(?<![\w.]){owner}(?= = \( SELECT \(NULLIF\(current_setting\('app\.user_id)", "other_owner"),
        (r"'system'", "'audit:read'"),
        (r"app\.oauth_key", "app.request_id"),
        (r"app\.throttle_keys", "app.request_id"),
        (r"app\.request_id", "app.user_id"),
    ):
        changed = re.sub(pattern, other, rule, count=1)
        if changed != rule:
            return changed
    raise AssertionError(f"nothing in {rule} can be swapped: say what in this function")
