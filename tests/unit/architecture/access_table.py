"""Who may call what, as a table: ``python -m tests.unit.architecture.access_table`` prints it for the snapshot."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.unit.architecture.source import imported_core
from tradingcore.kernel.authz import PLAN_SCOPES, Actor, Permission, Plan, Role, TraceId, UserId, authorize
from tradingcore.kernel.errors import PermissionDenied, Unauthenticated
from tradingcore.kernel.permissions import CAPABILITIES
from tradingcore.kernel.use_case import UseCase

TRACE = TraceId("0" * 32)
LEGEND = (
    "Who may call what: F free, B basic, P pro, E enterprise plan, - not with that plan.",
    "Operators at a command line and the platform itself may call everything.",
)


def use_cases() -> Sequence[type[UseCase[Any, Any]]]:
    """Every use case of the core, by context and name."""
    found = {
        value
        for module in imported_core()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, UseCase) and value is not UseCase and value.__module__ == module.__name__
    }
    return sorted(found, key=lambda cls: (cls.__module__.split(".")[1], cls.__name__))


def may_call(actor: Actor, permission: Permission) -> bool:
    try:
        authorize(actor, permission)
    except (PermissionDenied, Unauthenticated):
        return False
    return True


def plans_that_allow(role: Role, permission: Permission) -> str:
    letters = []
    for plan in Plan:
        actor = Actor.of_user(trace_id=TRACE, user_id=UserId(UUID(int=1)), roles=frozenset({role}), plan=plan, name="somebody")
        letters.append(plan.value[0].upper() if may_call(actor, permission) else "-")
    return "".join(letters)


def capability_table() -> str:
    """The table that permissions are read from, one row per capability."""
    rows = [("capability", *(role.value for role in Role))]
    rows.extend((row.title, *(" ".join(sorted(row.of(role))) or "-" for role in Role)) for row in CAPABILITIES)
    rows.append(("", *[""] * len(Role)))
    rows.extend((f"plan {plan.value}", " ".join(sorted(PLAN_SCOPES[plan]))) for plan in Plan)
    return "\n".join(" | ".join(row).rstrip(" |") for row in rows)


def access_table() -> str:
    rows = [("use case", "permission", "anonymous", *(role.value for role in Role))]
    for cls in use_cases():
        context, permission = cls.__module__.split(".")[1], cls.permission
        anonymous = "yes" if may_call(Actor.anonymous(TRACE), permission) else "no"
        rows.append(
            (f"{context}.{cls.__name__}", permission.value, anonymous, *(plans_that_allow(role, permission) for role in Role))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*LEGEND, "", *lines, "", capability_table(), ""])


if __name__ == "__main__":
    sys.stdout.write(access_table())
