from __future__ import annotations

from sqlalchemy import any_, literal
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.auth.accounts import ACCOUNTS, read_account
from adapters.postgres.engine import transaction
from adapters.postgres.pages import paged
from adapters.postgres.rows.auth.accounts import email_index
from adapters.postgres.tables.auth.accounts import user_accounts
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.ports.sealing import Sealer
from tradingcore.auth.queries import UserDirectory, UserFilter
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.page import Page, PageRequest, Position, page_from


class PostgresUserDirectory(UserDirectory):
    """Which rows the actor may see is decided by row-level security."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer

    async def search(self, actor: Actor, where: UserFilter, page: PageRequest) -> Page[UserAccount]:
        statement = ACCOUNTS
        if where.email is not None:
            statement = statement.where(user_accounts.c.email_index == email_index(self._sealer, where.email))
        if where.status is not None:
            statement = statement.where(user_accounts.c.status == where.status)
        if where.role is not None:
            statement = statement.where(literal(where.role.value) == any_(user_accounts.c.roles))
        if where.kind is not None:
            statement = statement.where(user_accounts.c.kind == where.kind)
        async with transaction(self._engine, actor, read_only=True) as connection:
            rows = await connection.execute(paged(statement, user_accounts.c.created_at, user_accounts.c.id, page))
            found = [read_account(row, self._sealer) for row in rows]
        return page_from(found, page, lambda account: Position(account.created_at, account.id))
