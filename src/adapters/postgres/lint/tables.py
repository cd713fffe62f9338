"""What must hold for every table and its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from adapters.postgres.lint.findings import Finding
from adapters.postgres.lint.lists import COVERT_CHANNELS, GLOBAL_KEYS, OWNER_COLUMNS, REFERENCE_DATA
from adapters.postgres.roles import SCHEMAS

_TABLES: Final = """
    select n.nspname || '.' || c.relname as name, c.relrowsecurity and c.relforcerowsecurity as is_forced,
        exists (select from pg_policy p where p.polrelid = c.oid) as has_policy,
        exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attname = any ($2::text[]) and not a.attisdropped
        ) as has_owner
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1::text[]) and c.relkind in ('r', 'p') and not c.relispartition order by 1
    """
_GRANTED_PARTITIONS: Final = """
    select c.oid::regclass::text as name, string_agg(distinct acl.grantee::regrole::text, ', ') as grantees
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attacl is not null
    cross join lateral (
        select * from aclexplode(c.relacl) union all select * from aclexplode(a.attacl)
    ) acl
    where c.relispartition and c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text = any ($1::text[])
        and acl.grantee <> c.relowner
    group by c.oid
    """
# Nobody hits another's surrogate key: it is drawn at random, or the server counts it.
_GLOBAL_KEYS: Final = """
    select c.oid::regclass::text as table, i.indexrelid::regclass::text as name, k.relname as index
    from pg_index i join pg_class c on c.oid = i.indrelid join pg_class k on k.oid = i.indexrelid
    where i.indisunique and c.relrowsecurity and c.relnamespace::regnamespace::text = any ($1::text[])
        and not exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                and (a.attname = any ($2::text[]) or (i.indisprimary and i.indnkeyatts = 1
                    and (a.atttypid = 'uuid'::regtype or a.attidentity = 'a')))
        )
    order by 1, 2
    """
_HIDDEN_TARGETS: Final = """
    select f.conrelid::regclass::text as table, f.conname as name, f.confrelid::regclass::text as target
    from pg_constraint f join pg_class t on t.oid = f.confrelid join pg_class c on c.oid = f.conrelid
    where f.contype = 'f' and t.relrowsecurity and c.relnamespace::regnamespace::text = any ($1::text[])
        and not exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attnum = any (f.conkey) and a.attname = any ($2::text[])
        )
    order by 1, 2
    """
_UNINDEXED_REFERENCES: Final = """
    select f.conrelid::regclass::text as table, f.conname as name from pg_constraint f
    where f.contype = 'f' and f.connamespace::regnamespace::text = any ($1::text[])
        and not exists (
            select from pg_index i where i.indrelid = f.conrelid and i.indisvalid and i.indpred is null
                and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
        )
    """


async def row_level_security_is_forced(connection: Any) -> Sequence[Finding]:
    found = []
    for table in await connection.fetch(_TABLES, list(SCHEMAS), sorted(OWNER_COLUMNS)):
        if table["is_forced"]:
            if not table["has_policy"]:
                found.append(Finding(table["name"], "it has no policy, so that nobody sees a row: say who may do what"))
        elif table["has_owner"] or table["name"] not in REFERENCE_DATA:
            detail = "its rows are open to whoever may read the table: enable and force row level security"
            found.append(Finding(table["name"], detail))
    return found


async def partitions_are_not_granted(connection: Any) -> Sequence[Finding]:
    return [
        Finding(row["name"], f"{row['grantees']} may go past the policies of its parent: grant the parent only")
        for row in await connection.fetch(_GRANTED_PARTITIONS, list(SCHEMAS))
    ]


async def hidden_rows_cannot_be_felt(connection: Any) -> Sequence[Finding]:
    keys = await connection.fetch(_GLOBAL_KEYS, list(SCHEMAS), sorted(OWNER_COLUMNS))
    references = await connection.fetch(_HIDDEN_TARGETS, list(SCHEMAS), sorted(OWNER_COLUMNS))
    return [
        *(
            Finding(row["table"], f"{row['index']} tells that a hidden value is taken: add the owner, or list it with a reason")
            for row in keys
            if row["index"] not in GLOBAL_KEYS
        ),
        *(
            Finding(row["table"], f"{row['name']} tells that a hidden row of {row['target']} exists: list it with a reason")
            for row in references
            if row["name"] not in COVERT_CHANNELS
        ),
    ]


async def foreign_keys_are_indexed(connection: Any) -> Sequence[Finding]:
    return [
        Finding(row["table"], f"no index begins with the columns of {row['name']}: add one, or a delete reads the whole table")
        for row in await connection.fetch(_UNINDEXED_REFERENCES, list(SCHEMAS))
    ]
