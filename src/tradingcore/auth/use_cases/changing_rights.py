"""How roles and plans of an account are written, with its owner told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.ports.accounts import AccountUnitOfWork
from tradingcore.auth.ports.proposals import ProposalRepository
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.manage_users import name_of
from tradingcore.kernel.authz import Actor, Plan, Role
from tradingcore.kernel.ports import Clock

GRANT_ROLE: Final = "auth.grant_role"


class RoleUnitOfWork(AccountUnitOfWork, Protocol):
    __slots__ = ()

    @property
    def proposals(self) -> ProposalRepository: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """How an account's roles and plan are written, with its owner told."""

    mailer: Mailer
    clock: Clock

    async def change(
        self, unit: AccountUnitOfWork, actor: Actor, account: UserAccount, *, roles: frozenset[Role], plan: Plan
    ) -> UserAccount:
        now = self.clock.now()
        changed = account.with_rights(roles=roles, plan=plan, by=name_of(actor), at=now)
        if changed is account:
            return account
        saved = await unit.accounts.save(changed)
        values = {"roles": ", ".join(sorted(role.value for role in saved.roles)), "at": now.isoformat()}
        self.mailer.request(unit, "role_changed", saved.email, saved.profile.locale, values)
        return saved
