"""What runs or is stored with somebody else's rights: views, materialized views, functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from adapters.postgres.lint.findings import Finding
from adapters.postgres.lint.lists import DEFINER_FUNCTIONS
from adapters.postgres.roles import SCHEMAS, DatabaseRole

_VIEWS: Final = """
    select c.oid::regclass::text as name from pg_class c
    where c.relkind = 'v' and c.relnamespace::regnamespace::text = any ($1::text[])
        and not coalesce((select option_value::boolean from pg_options_to_table(c.reloptions)
                          where option_name = 'security_invoker'), false)
    """
_COPIES: Final = """
    select c.oid::regclass::text as name, role from pg_class c, unnest($2::text[]) role
    where c.relkind = 'm' and c.relnamespace::regnamespace::text = any ($1::text[])
        and has_any_column_privilege(role, c.oid, 'select')
    """
_FUNCTIONS: Final = """
    select n.nspname || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' as signature,
        f.prosecdef as is_definer,
        exists (select from unnest(coalesce(f.proconfig, '{}')) option where option like 'search_path=%') as is_fixed,
        exists (
            select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) acl where acl.grantee = 0
        ) as is_public
    from pg_proc f join pg_namespace n on n.oid = f.pronamespace where n.nspname = any ($1::text[]) order by 1
    """


async def views_run_as_their_caller(connection: Any) -> Sequence[Finding]:
    return [
        Finding(row["name"], "it shows the rows that its owner sees: create it with (security_invoker = true)")
        for row in await connection.fetch(_VIEWS, list(SCHEMAS))
    ]


async def no_materialized_view_is_shared(connection: Any) -> Sequence[Finding]:
    bound = [DatabaseRole.API.value, DatabaseRole.WORKER.value]
    return [
        Finding(row["name"], f"{row['role']} reads a copy that no policy guards: revoke it, or make it a table with an owner")
        for row in await connection.fetch(_COPIES, list(SCHEMAS), bound)
    ]


async def definer_functions_are_listed(connection: Any) -> Sequence[Finding]:
    found = []
    for function in await connection.fetch(_FUNCTIONS, list(SCHEMAS)):
        signature = function["signature"]
        if function["is_public"]:
            found.append(Finding(signature, "everybody may call it: revoke execute from public"))
        if function["is_definer"] and not function["is_fixed"]:
            found.append(Finding(signature, "it has its owner's rights and the caller's search_path: fix the search_path"))
        if function["is_definer"] and signature not in DEFINER_FUNCTIONS:
            found.append(Finding(signature, "it has its owner's rights: make it security invoker, or list it with a reason"))
    return found
