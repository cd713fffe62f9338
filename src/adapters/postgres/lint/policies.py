"""What must hold for every policy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from adapters.postgres.lint.expressions import calls_outside_of_a_subselect, policies, subselects
from adapters.postgres.lint.findings import Finding
from adapters.postgres.lint.lists import OPEN_POLICIES

_ASKS: Final = "current_setting"
_WRITES: Final = frozenset({"insert", "update"})
_CONSTANT: Final = re.compile(r"(^|\bOR )\(*true\)*($| OR\b)")
_NULL_DISJUNCT: Final = re.compile(
    r"IS NULL\)* OR\b"  # rows, or callers, that are nobody's
    r"|\bOR \(*[^()]*IS NULL"
    rf"|{_ASKS}\([^()]*\)[^=<>]*IS NULL"
    rf"|COALESCE\(\(*(NULLIF\()?{_ASKS}"
    r"|IS (NOT )?DISTINCT FROM"
)
_HELPERS: Final = """
    select d.objid as policy, f.oid::regprocedure::text as signature, f.proname as name, f.provolatile <> 'v' as is_stable,
        exists (select from unnest(coalesce(f.proconfig, '{}')) option where option like 'search_path=%') as is_fixed
    from pg_depend d join pg_proc f on f.oid = d.refobjid
    where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass
    """
_UNINDEXED: Final = """
    select p.oid as policy, a.attname as column from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
        and d.refclassid = 'pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0
    join pg_attribute a on a.attrelid = p.polrelid and a.attnum = d.refobjsubid
    where p.polcmd <> 'a' and not exists (
        select from pg_index i where i.indrelid = p.polrelid and i.indkey[0] = a.attnum and i.indisvalid and i.indpred is null
    )
    """


async def policies_name_their_role(connection: Any) -> Sequence[Finding]:
    return [
        Finding(policy.where, "it holds for whoever connects: write `to` and the roles that it is meant for")
        for policy in await policies(connection)
        if "public" in policy.roles
    ]


async def writes_are_checked(connection: Any) -> Sequence[Finding]:
    return [
        Finding(policy.where, "it lets rows be written and does not say which: add `with check`")
        for policy in await policies(connection)
        if _WRITES & set(policy.commands) and policy.with_check is None
    ]


async def policies_do_not_overlap(connection: Any) -> Sequence[Finding]:
    covered = Counter(
        (policy.table, role, command)
        for policy in await policies(connection)
        if policy.is_permissive
        for role in policy.roles
        for command in policy.commands
    )
    return [
        Finding(table, f"{count} permissive policies let {role} {command}, and the most generous one wins: make them one")
        for (table, role, command), count in covered.items()
        if count > 1
    ]


async def no_policy_is_open(connection: Any) -> Sequence[Finding]:
    helpers = await _helpers(connection)
    return [
        Finding(policy.where, "it says the same to everybody who calls: compare a column with a setting of the transaction")
        for policy in await policies(connection)
        if policy.where not in OPEN_POLICIES
        and any(_CONSTANT.search(rule) or not _asks(rule, helpers.get(policy.oid, [])) for rule in policy.rules)
    ]


async def nobody_owns_nothing(connection: Any) -> Sequence[Finding]:
    return [
        Finding(policy.where, "a caller or an owner that is null opens it: leave the `is null` out, null must match no row")
        for policy in await policies(connection)
        if any(_NULL_DISJUNCT.search(rule) for rule in policy.rules)
    ]


async def helpers_are_stable_and_asked_once(connection: Any) -> Sequence[Finding]:
    helpers = await _helpers(connection)
    found = []
    for policy in await policies(connection):
        used = helpers.get(policy.oid, [])
        for helper in used:
            if not (helper["is_stable"] and helper["is_fixed"]):
                detail = f"{helper['signature']} is volatile or follows the caller's search_path: make it stable with a fixed one"
                found.append(Finding(policy.where, detail))
        names = [_ASKS, *(helper["name"] for helper in used)]
        asked = sorted({name for rule in policy.rules for name in calls_outside_of_a_subselect(rule, names)})
        found += [Finding(policy.where, f"it calls {name} for every row: wrap it as (select {name}(...))") for name in asked]
    return found


async def policy_columns_are_indexed(connection: Any) -> Sequence[Finding]:
    columns = [(row["policy"], row["column"]) for row in await connection.fetch(_UNINDEXED)]
    return [
        Finding(policy.where, f"no index begins with {column}, so every statement reads the whole table: add one")
        for policy in await policies(connection)
        for owner, column in columns
        if owner == policy.oid
    ]


async def membership_is_an_array(connection: Any) -> Sequence[Finding]:
    return [
        Finding(policy.where, "it asks another table for each row: write the membership as `= any (array(select ...))`")
        for policy in await policies(connection)
        if any(before != "ARRAY" for rule in policy.rules for before, _ in subselects(rule))
    ]


async def _helpers(connection: Any) -> dict[int, list[Any]]:
    helpers: dict[int, list[Any]] = {}
    for row in await connection.fetch(_HELPERS):
        helpers.setdefault(row["policy"], []).append(row)
    return helpers


def _asks(rule: str, helpers: Sequence[Any]) -> bool:
    return any(f"{name}(" in rule for name in (_ASKS, *(helper["name"] for helper in helpers)))
