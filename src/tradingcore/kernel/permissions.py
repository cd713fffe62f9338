"""Who may do what: the capability table, from which permissions of roles and scopes of plans are read.

Roles are sets and no ladder: a student holds nothing of an investor, and an administrator no permission to trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What a use case asks for. ``PUBLIC`` is granted to everybody, signed in or not, ``SYSTEM`` to no person."""

    PUBLIC = "public"
    ACCOUNT_OWN = "account:own"
    COURSES_LEARN = "courses:learn"
    COURSES_MANAGE = "courses:manage"
    MARKET_READ = "market:read"
    MARKET_MANAGE = "market:manage"
    SIGNALS_READ = "signals:read"
    SIGNALS_REALTIME = "signals:realtime"
    FORECASTS_CREATE = "forecasts:create"
    PAPER_TRADE = "paper:trade"
    PAPER_VIEW = "paper:view"
    BOTS_RUN = "bots:run"
    BOTS_SUSPEND = "bots:suspend"
    WALLET_OWN = "wallet:own"
    WALLET_VIEW = "wallet:view"
    WALLET_FREEZE = "wallet:freeze"
    WITHDRAWALS_REQUEST = "withdrawals:request"
    WITHDRAWALS_APPROVE = "withdrawals:approve"
    LEDGER_PROPOSE = "ledger:propose"
    LEDGER_APPROVE = "ledger:approve"
    USERS_MANAGE = "users:manage"
    CONTENT_MANAGE = "content:manage"
    REFUNDS_MANAGE = "refunds:manage"
    MODELS_READ = "models:read"
    MODELS_MANAGE = "models:manage"
    ROLES_MANAGE = "roles:manage"
    KEYS_OWN = "keys:own"
    KEYS_MANAGE = "keys:manage"
    AUDIT_READ = "audit:read"
    SYSTEM = "system"


class Role(StrEnum):
    STUDENT = "student"
    INVESTOR = "investor"
    TRADER = "trader"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class Plan(StrEnum):
    FREE = "free"
    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"


P = Permission
STAFF: Final = frozenset({Role.ADMIN, Role.SUPERADMIN})


@dataclass(frozen=True, slots=True)
class Capability:
    """One row of the table. ``customers`` are student, investor and trader; what staff holds, no plan limits."""

    title: str
    student: frozenset[Permission] = frozenset()
    investor: frozenset[Permission] = frozenset()
    trader: frozenset[Permission] = frozenset()
    admin: frozenset[Permission] = frozenset()
    superadmin: frozenset[Permission] = frozenset()

    def of(self, role: Role) -> frozenset[Permission]:
        granted: frozenset[Permission] = getattr(self, role.value)
        return granted


def _row(title: str, *granted: set[Permission]) -> Capability:
    return Capability(title, *(frozenset(permissions) for permissions in granted))


_MARKET: Final = {P.MARKET_READ, P.SIGNALS_READ, P.SIGNALS_REALTIME}
_MODEL_DESK: Final = {P.MODELS_READ, P.MODELS_MANAGE, P.MARKET_MANAGE}

# Columns: student, investor, trader, admin, superadmin.
CAPABILITIES: Final = (
    _row("own account and data", *([{P.ACCOUNT_OWN}] * 5)),
    _row("courses", *([{P.COURSES_LEARN}] * 3), *([{P.COURSES_MANAGE}] * 2)),
    _row("market data, charts, signals", set(), *([_MARKET] * 4)),
    _row("paper orders, watchlists, alerts", set(), *([{P.PAPER_TRADE}] * 2), *([{P.PAPER_VIEW}] * 2)),
    _row("bots, strategies, forecasts, backtests", set(), set(), {P.BOTS_RUN, P.FORECASTS_CREATE}, *([{P.BOTS_SUSPEND}] * 2)),
    _row("investment accounts, wallet", set(), *([{P.WALLET_OWN}] * 2), *([{P.WALLET_VIEW, P.WALLET_FREEZE}] * 2)),
    _row("withdrawals", set(), *([{P.WITHDRAWALS_REQUEST}] * 2), *([{P.WITHDRAWALS_APPROVE}] * 2)),
    _row("ledger adjustments", set(), set(), set(), {P.LEDGER_PROPOSE}, {P.LEDGER_APPROVE}),
    _row("users, content, refunds", *([set[Permission]()] * 3), *([{P.USERS_MANAGE, P.CONTENT_MANAGE, P.REFUNDS_MANAGE}] * 2)),
    _row("model registry, training, symbols", set(), set(), {P.MODELS_READ}, *([_MODEL_DESK] * 2)),
    _row("own API keys", set(), *([{P.KEYS_OWN}] * 4)),
    _row("roles, plans, keys of others", *([set[Permission]()] * 4), {P.ROLES_MANAGE, P.KEYS_MANAGE}),
    _row("audit", *([set[Permission]()] * 3), *([{P.AUDIT_READ}] * 2)),
)
"""The one source of who may do what. "Own" and "as the second person" are rules over rows, which the use cases hold."""

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    role: frozenset[Permission]().union(*(capability.of(role) for capability in CAPABILITIES)) for role in Role
}

_FREE: Final = frozenset({P.ACCOUNT_OWN, P.COURSES_LEARN, P.MARKET_READ, P.PAPER_TRADE, P.WALLET_OWN, P.WITHDRAWALS_REQUEST})
_BASIC: Final = _FREE | {P.SIGNALS_READ, P.MODELS_READ}
_PRO: Final = _BASIC | {P.SIGNALS_REALTIME, P.FORECASTS_CREATE, P.BOTS_RUN, P.KEYS_OWN}

PLAN_SCOPES: Final[dict[Plan, frozenset[Permission]]] = {
    Plan.FREE: _FREE,
    Plan.BASIC: _BASIC,
    Plan.PRO: _PRO,
    Plan.ENTERPRISE: _PRO,
}
"""What a plan unlocks of what a role gives; how many of it (bots, keys) is for the contexts to say."""


def granted_to(roles: frozenset[Role], plan: Plan) -> frozenset[Permission]:
    """Return what role and plan give together; a role of staff is not for sale, so no plan narrows it."""
    granted = frozenset[Permission]()
    for role in roles:
        granted |= ROLE_PERMISSIONS[role] if role in STAFF else ROLE_PERMISSIONS[role] & PLAN_SCOPES[plan]
    return granted
