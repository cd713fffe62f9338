"""Brings a database to the revision that this version of the program needs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.connect import connected, reason_of
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.postgres.errors import LoginRefused, SchemaOutdated, ServerMisconfigured, ServerUnavailable
from adapters.postgres.roles import DatabaseRole, RolePasswords, ensure_roles, prepare_database

_OLDEST_SERVER: Final = 15
_LOCK: Final = 7_361_002
_WAIT_FOR_OTHERS: Final = "300s"
# A step that waits longer for a table would make every request on that table wait behind it.
_LOCK_TIMEOUT: Final = "2s"


@dataclass(frozen=True, slots=True)
class Revision:
    """One step of the schema."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """``current`` is ``None`` for a database that was never migrated. ``is_known`` is false for one that a newer program made."""

    current: str | None
    head: str
    pending: tuple[Revision, ...]
    is_known: bool = True

    @property
    def is_current(self) -> bool:
        return self.current == self.head


class Migrator:
    """Runs the revisions in ``migrations`` on one database.

    ``administrator`` creates the database, the roles and their grants, and is used by `up` alone; the revisions run as
    ``tc_migrator``, which becomes ``tc_owner``; everything else connects with its own role. ``owns_server`` says that the server
    serves nobody else, so that its other databases can be closed too.
    """

    def __init__(
        self, administrator: DatabaseAddress, passwords: RolePasswords, *, folder: Path | None = None, owns_server: bool = False
    ) -> None:
        self._administrator = administrator
        self._owns_server = owns_server
        self._passwords = passwords
        self._folder = folder or migrations_folder()
        self._scripts = ScriptDirectory(str(self._folder))

    def address(self, role: DatabaseRole) -> DatabaseAddress:
        """Return where ``role`` connects. Raises `SchemaOutdated` before the first migration."""
        return self._administrator.as_user(role, self._passwords.of(role))

    async def up(self, *, target: str = "head") -> SchemaStatus:
        """Migrate to ``target`` and return the status after it. Safe to repeat, to kill and to run several times at once.

        Each revision is one transaction together with its mark in ``public.alembic_version``.
        """
        await self.prepare()
        _refuse_newer(await self.status())
        settings = EngineSettings(application="tradingcore-migrate", pool_size=1, statement_seconds=0, lock_seconds=0)
        engine = create_engine(self.address(DatabaseRole.MIGRATOR), settings)
        try:
            async with engine.execution_options(isolation_level="READ COMMITTED").connect() as connection:
                await connection.run_sync(self._upgrade, target)
        except (SQLAlchemyError, OSError) as error:
            reason = reason_of(getattr(error, "orig", None) or error)
            raise ServerUnavailable(f"the migration stopped and nothing of its last step was kept, repeat it: {reason}") from error
        finally:
            await engine.dispose()
        return await self.status()

    async def prepare(self) -> None:
        """Make the database if it is missing, the roles and their rights on it. Part of `up`; safe to repeat."""
        try:
            await self._prepare()
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError) as error:
            raise ServerMisconfigured(
                f"{self._administrator.user} may not prepare the database ({reason_of(error)}): "
                "give the address of an administrator, who can create roles with BYPASSRLS"
            ) from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise ServerUnavailable(f"{self._administrator.display} could not be prepared: {reason_of(error)}") from None

    async def status(self) -> SchemaStatus:
        """Compare the database with the revisions of this program."""
        head = self._scripts.get_current_head()
        assert head is not None
        current = await self._current()
        known = {script.revision: Revision(script.revision, script.doc) for script in self._scripts.walk_revisions()}
        if current is not None and current not in known:
            return SchemaStatus(current=current, head=head, pending=(), is_known=False)
        waiting = [script for script in self._scripts.iterate_revisions(head, current or "base") if script.revision != current]
        return SchemaStatus(current=current, head=head, pending=tuple(known[one.revision] for one in reversed(waiting)))

    async def check(self) -> SchemaStatus:
        """Return the status. Raises `SchemaOutdated`, saying what to run, unless the database is at the head."""
        status = await self.status()
        _refuse_newer(status)
        if not status.is_current:
            where = f"at revision {status.current}" if status.current else "empty"
            raise SchemaOutdated(
                f"the database is {where} and {len(status.pending)} revisions behind {status.head}: run tradingcore migrate up"
            )
        return status

    async def _current(self) -> str | None:
        try:
            address = self.address(DatabaseRole.API)
        except SchemaOutdated:
            # Nobody prepared it from here. A server that is away is not an empty one: whoever is refused has found a server.
            with suppress(LoginRefused, asyncpg.InvalidCatalogNameError):
                async with connected(self._administrator.as_user(DatabaseRole.API, ""), application="tradingcore-migrate"):
                    pass
            return None
        try:
            async with connected(address, application="tradingcore-migrate") as connection:
                revision = await connection.fetchval("select version_num from public.alembic_version")
                return None if revision is None else str(revision)
        except LoginRefused as error:
            raise LoginRefused(f"{error}: run tradingcore migrate up, which gives the roles the passwords known here") from None
        except (asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
            return None

    async def _prepare(self) -> None:
        async with connected(self._administrator.in_database("postgres"), application="tradingcore-migrate") as server:
            if server.get_server_version().major < _OLDEST_SERVER:
                raise ServerMisconfigured(
                    f"the server is PostgreSQL {server.get_server_version().major}, {_OLDEST_SERVER} or newer is needed"
                )
            await ensure_roles(server, self._passwords)
            if self._owns_server:
                await server.execute("revoke all on database postgres, template1 from public")
            name = self._administrator.database
            if not await server.fetchval("select exists (select from pg_database where datname = $1)", name):
                quoted = await server.fetchval("select quote_ident($1)", name)
                await server.execute(f"create database {quoted} template template0 encoding 'UTF8'")
            async with connected(self._administrator, application="tradingcore-migrate") as database:
                await prepare_database(database)

    def _upgrade(self, connection: Connection, target: str) -> None:
        # The locks of a session outlive its transactions and end with the process: a killed migration blocks nobody.
        connection.execute(text(f"set lock_timeout = '{_WAIT_FOR_OTHERS}'"))
        connection.execute(text("set client_connection_check_interval = '1s'"))
        connection.execute(text(f"select pg_advisory_lock({_LOCK})"))
        connection.execute(text(f"set role {DatabaseRole.OWNER}"))
        connection.execute(text(f"set lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.commit()
        command.upgrade(self._configuration(connection), target)

    def _configuration(self, connection: Connection) -> Config:
        configuration = Config()
        configuration.set_main_option("script_location", str(self._folder).replace("%", "%%"))
        configuration.attributes["connection"] = connection
        return configuration


def migrations_folder() -> Path:
    """Return the folder of the revisions: beside this module in an installed package, at the top of a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if (installed / "env.py").is_file() else Path(__file__).parents[3] / "migrations"


def _refuse_newer(status: SchemaStatus) -> None:
    if not status.is_known:
        raise SchemaOutdated(
            f"the database is at revision {status.current}, which this version of tradingcore does not know: update tradingcore"
        )
