"""The database roles and their passwords.

``tc_owner`` owns everything and cannot log in; ``tc_migrator`` may become it; ``tc_api`` and ``tc_worker`` own nothing and are
bound by row-level security; ``tc_system`` is not bound by it and gets single columns; ``tc_audit`` reads the audit log.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Collection, Mapping
from enum import StrEnum
from hashlib import pbkdf2_hmac, sha256
from hmac import digest
from pathlib import Path
from typing import Any, Final

from adapters.postgres.errors import SchemaOutdated, ServerMisconfigured, UnsafeRole
from adapters.postgres.files import write_private
from adapters.postgres.startup import folder_refused

SCHEMAS: Final = ("public", "education", "trading", "investment", "financial", "ml", "audit")
_SCRAM_ITERATIONS: Final = 4096
_LOCK: Final = 7_361_001  # roles belong to the whole server: one writer at a time, whatever the database


class DatabaseRole(StrEnum):
    OWNER = "tc_owner"
    MIGRATOR = "tc_migrator"
    API = "tc_api"
    WORKER = "tc_worker"
    SYSTEM = "tc_system"
    AUDIT = "tc_audit"


_LARGE_OBJECT_FUNCTIONS: Final = r"""
    select f.oid::regprocedure::text from pg_proc f
    where f.pronamespace = 'pg_catalog'::regnamespace and f.proname ~ '^(lo_.*|lo(read|write))$'
        and has_function_privilege('public', f.oid, 'execute') and pg_has_role(f.proowner, 'usage')
    """

LOGIN_ROLES: Final = tuple(role for role in DatabaseRole if role is not DatabaseRole.OWNER)


_SERVING_ROLES: Final = frozenset({DatabaseRole.API, DatabaseRole.WORKER, DatabaseRole.SYSTEM})


class RolePasswords:
    """Passwords of the login roles: those given in settings, else generated ones kept in a file of mode 0600."""

    def __init__(self, file: Path, *, given: Mapping[DatabaseRole, str] | None = None) -> None:
        self.file = file
        self._given = dict(given or {})

    def of(self, role: DatabaseRole) -> str:
        """Raise `SchemaOutdated` for a role whose password was neither given nor made here."""
        password = self._given.get(role) or self._stored().get(role)
        if password is None:
            raise SchemaOutdated(f"the database role {role} has no password in {self.file}: run tradingcore migrate up")
        return password

    def complete(self, existing: Collection[str] = ()) -> Mapping[DatabaseRole, str]:
        """Return all of them and generate and keep those that are missing. The caller holds the lock of the roles.

        Raises `ServerMisconfigured` for a serving role among the ``existing`` ones whose password is not known here: a new one
        would lock out whoever serves with the old one.
        """
        known = self._stored() | self._given
        missing = {role: secrets.token_urlsafe(32) for role in LOGIN_ROLES if role not in known}
        for role in missing:
            if role in existing and role in _SERVING_ROLES:
                raise ServerMisconfigured(
                    f"the server has a role {role} already and its password is not in {self.file}: "
                    "copy that file from where it was made, or give the passwords of the three serving roles in the settings"
                )
        if missing:
            kept = {role: password for role, password in (known | missing).items() if role not in self._given}
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_private(self.file, json.dumps(kept, indent=2) + "\n")
            except OSError as error:
                raise folder_refused(self.file.parent, error) from None
        return known | missing

    def _stored(self) -> dict[DatabaseRole, str]:
        try:
            return {DatabaseRole(role): str(password) for role, password in json.loads(self.file.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            raise ServerMisconfigured(f"{self.file} cannot be read as a file of role passwords: {error}") from None


async def ensure_roles(connection: Any, passwords: RolePasswords) -> None:
    """Create or correct the roles. ``connection`` is the administrator's, to the database ``postgres``, held by the caller.

    Takes an advisory lock that ends with the connection, so the caller can go on with what must not run twice at a time.
    """
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    rows = await connection.fetch("select rolname, rolcanlogin, rolbypassrls, rolsuper, rolinherit from pg_roles")
    existing = {row["rolname"]: row for row in rows}
    known = passwords.complete(existing)
    for role in DatabaseRole:
        login, bypass = role is not DatabaseRole.OWNER, role is DatabaseRole.SYSTEM
        attributes = f"{'LOGIN' if login else 'NOLOGIN'} {'BYPASSRLS' if bypass else 'NOBYPASSRLS'} NOINHERIT"
        row = existing.get(role)
        if row is None:
            await connection.execute(f"create role {role} {attributes}")
        elif (row["rolcanlogin"], row["rolbypassrls"], row["rolinherit"]) != (login, bypass, False):
            await connection.execute(f"alter role {role} {attributes}")
        if row is not None and row["rolsuper"]:
            await connection.execute(f"alter role {role} nosuperuser")
        if login:
            await connection.execute(f"alter role {role} password '{scram_verifier(known[role])}'")
    # A statement outside of a transaction of ours can only read.
    await connection.execute(f"alter role {DatabaseRole.API} set default_transaction_read_only = on")
    await connection.execute(f"grant {DatabaseRole.OWNER} to {DatabaseRole.MIGRATOR}")
    if not await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
        # Only who may become the owner can hand a schema to it.
        await connection.execute(f"grant {DatabaseRole.OWNER} to current_user")


async def prepare_database(connection: Any) -> None:
    """Give a database to the roles: what belongs to the database itself and no revision or template carries along."""
    name = await connection.fetchval("select quote_ident(current_database())")
    logins = ", ".join(LOGIN_ROLES)
    await connection.execute(f"revoke all on database {name} from public")
    await connection.execute(f"grant connect on database {name} to {logins}")
    await connection.execute(f"grant connect, create on database {name} to {DatabaseRole.OWNER}")
    await connection.execute(f"alter schema public owner to {DatabaseRole.OWNER}")
    # Storage beside all tables, which no policy knows. Only a superuser can close it.
    for (signature,) in await connection.fetch(_LARGE_OBJECT_FUNCTIONS):
        await connection.execute(f"revoke execute on function {signature} from public")


async def assert_safe_role(connection: Any, *, may_bypass: bool = False) -> None:
    """Refuse to serve with a login that row-level security would not bind. Raises `UnsafeRole`.

    ``connection`` is one of `connected`. ``may_bypass`` is for ``tc_system`` alone.
    """
    row = await connection.fetchrow(
        """
        select current_user::text as name, role.rolsuper, role.rolbypassrls,
            current_setting('row_security') as row_security,
            pg_has_role(current_user, 'tc_owner', 'member') as becomes_owner,
            exists (select from pg_class table_, pg_namespace space
                    where table_.relnamespace = space.oid and table_.relowner = role.oid
                        and space.nspname = any($1::text[])) as owns
        from pg_roles role where role.rolname = current_user
        """,
        list(SCHEMAS),
    )
    flaws = {
        "it is a superuser": row["rolsuper"],
        "it bypasses row-level security": row["rolbypassrls"] and not may_bypass,
        "it may become tc_owner": row["becomes_owner"],
        "it owns tables": row["owns"],
        "row_security is off": row["row_security"] != "on",
    }
    found = [flaw for flaw, holds in flaws.items() if holds]
    if found:
        raise UnsafeRole(
            f"the database role {row['name']} is not safe to serve with: {' and '.join(found)}; "
            "connect with the roles that tradingcore migrate up makes"
        )


def scram_verifier(password: str) -> str:
    """Return what PostgreSQL stores for a password (RFC 5803), so that the password itself never travels or reaches a log."""
    salt = secrets.token_bytes(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored = sha256(digest(salted, b"Client Key", "sha256")).digest()
    server = digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"
