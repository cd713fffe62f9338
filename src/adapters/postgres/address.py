"""Where a database is and who connects to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from adapters.postgres.errors import ServerMisconfigured

_SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
DEFAULT_PORT: Final = 5432


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """A server, a database on it and a login. The password never shows in ``repr``."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False, default="")
    ssl_mode: str | None = None
    ssl_root_certificate: str | None = None

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        """Read ``postgresql://user:password@host:port/database?sslmode=…&sslrootcert=…``. Raises `ServerMisconfigured`."""
        shape = "postgresql://user:password@host:5432/database"
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORT
        except ValueError:
            raise ServerMisconfigured(f"the database address is malformed: write it as {shape}") from None
        if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname or not parts.username:
            raise ServerMisconfigured(f"the database address lacks the scheme, the host or the user: write it as {shape}")
        options = dict(parse_qsl(parts.query))
        mode = options.pop("sslmode", None)
        certificate = options.pop("sslrootcert", None)
        if mode is not None and mode not in _SSL_MODES:
            raise ServerMisconfigured(f"sslmode in the database address was {mode!r}: use one of {', '.join(sorted(_SSL_MODES))}")
        if options:
            raise ServerMisconfigured(
                f"the database address has an unknown option {sorted(options)[0]!r}: only sslmode and sslrootcert are understood"
            )
        return cls(
            host=unquote(parts.hostname),
            port=port,
            database=unquote(parts.path.lstrip("/")) or unquote(parts.username),
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            ssl_mode=mode,
            ssl_root_certificate=certificate,
        )

    def as_user(self, user: str, password: str) -> DatabaseAddress:
        return replace(self, user=str(user), password=password)  # asyncpg takes no subclass of str

    def in_database(self, database: str) -> DatabaseAddress:
        return replace(self, database=database)

    @property
    def display(self) -> str:
        """For messages: without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"

    def connect_arguments(self) -> dict[str, Any]:
        """The arguments of ``asyncpg.connect``."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password,
        }
        if self.ssl_root_certificate is not None:
            context = ssl.create_default_context(cafile=self.ssl_root_certificate)
            context.check_hostname = self.ssl_mode != "verify-ca"
            arguments["ssl"] = context
        elif self.ssl_mode is not None:
            arguments["ssl"] = self.ssl_mode
        else:
            # asyncpg's own default is to try TLS first; loopback has none and a remote server that wants it is named with sslmode.
            arguments["ssl"] = "prefer" if self.host not in {"127.0.0.1", "::1", "localhost"} else False
        return arguments
