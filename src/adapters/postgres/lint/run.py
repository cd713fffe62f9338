"""The sixteen checks, and running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.postgres.lint import policies, routines, server, tables
from adapters.postgres.lint.findings import Check, Finding

CHECKS: Final[Mapping[str, Check]] = {
    check.__name__: check
    for check in (
        tables.row_level_security_is_forced,
        policies.policies_name_their_role,
        policies.writes_are_checked,
        policies.policies_do_not_overlap,
        policies.no_policy_is_open,
        policies.nobody_owns_nothing,
        policies.helpers_are_stable_and_asked_once,
        policies.policy_columns_are_indexed,
        policies.membership_is_an_array,
        routines.views_run_as_their_caller,
        routines.definer_functions_are_listed,
        routines.no_materialized_view_is_shared,
        tables.partitions_are_not_granted,
        tables.hidden_rows_cannot_be_felt,
        tables.foreign_keys_are_indexed,
        server.server_is_patched,
    )
}


async def lint(connection: Any) -> Mapping[str, Sequence[Finding]]:
    """Return what each check found, by its name; an empty sequence where it holds.

    ``connection`` is one of `connected`, of any role: the catalogue is open to all.
    """
    return {name: await check(connection) for name, check in CHECKS.items()}
