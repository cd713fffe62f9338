from __future__ import annotations

from adapters.memory.auth.accounts import may_reach
from adapters.memory.database import MemoryDatabase
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.queries import UserDirectory, UserFilter
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.page import Page, PageRequest, Position, page_from


class MemoryUserDirectory(UserDirectory):
    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def search(self, actor: Actor, where: UserFilter, page: PageRequest) -> Page[UserAccount]:
        found = self._database.user_accounts.newest_first(page, lambda row: may_reach(actor, row.id) and _matches(row, where))
        return page_from(found, page, lambda account: Position(account.created_at, account.id))


def _matches(account: UserAccount, where: UserFilter) -> bool:
    if where.email is not None and (account.email is None or account.email.comparable != where.email.comparable):
        return False
    if where.status is not None and account.status is not where.status:
        return False
    if where.role is not None and where.role not in account.roles:
        return False
    return where.kind is None or account.kind is where.kind
