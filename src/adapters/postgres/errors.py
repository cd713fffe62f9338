"""What can go wrong with the database server itself, as kernel errors with a sentence for the operator."""

from __future__ import annotations

from tradingcore.kernel.errors import InvalidInput, RuleViolation, TradingCoreError, Unavailable


class ServerUnavailable(Unavailable):
    """The database server cannot be started or reached."""

    code = "storage.unavailable"


class LoginRefused(ServerUnavailable):
    """The server is there and does not accept the user or the password."""

    code = "storage.login_refused"


class StorageFull(Unavailable):
    """The disk under the database is full. Nothing of the refused transaction was written."""

    code = "storage.full"
    title = "Storage full"


class ServerMisconfigured(InvalidInput):
    """The storage settings do not fit the machine: folder, port, version or address."""

    code = "storage.misconfigured"
    title = "Storage misconfigured"


class SchemaOutdated(Unavailable):
    """The database is not at the revision that this version of the program needs."""

    code = "storage.schema_outdated"
    title = "Schema outdated"


class UnsafeRole(RuleViolation):
    """The process is connected with a role that row-level security would not bind."""

    code = "storage.unsafe_role"
    title = "Unsafe database role"


class StorageFault(TradingCoreError):
    """The database refused a statement that the program should not have sent: a bug, not the caller's mistake."""

    code = "storage.fault"
    title = "Internal error"
