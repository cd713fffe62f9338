"""Puts a process on its feet: storage up, schema checked, connections of the right database role, container ready."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from entrypoints.container import Container
from entrypoints.secret_files import key_rings, secret_of, signing_rings
from entrypoints.settings import ConfigurationError, Settings
from tradingcore.kernel.limits import Quota
from tradingcore.kernel.ports import SILENT, Observer

if TYPE_CHECKING:
    from adapters.postgres.address import DatabaseAddress
    from adapters.postgres.backup import ClusterBackups
    from adapters.postgres.cluster import EmbeddedCluster
    from adapters.postgres.lint.findings import Finding
    from adapters.postgres.migrate import Migrator
    from adapters.postgres.roles import RolePasswords


class ProcessKind(StrEnum):
    """What a process is, which decides the database role that it connects with."""

    API = "api"
    WORKER = "worker"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A running process: its settings, its wired use cases and, on PostgreSQL, the schema's migrator."""

    settings: Settings
    container: Container
    migrator: Migrator | None


def postgres_home(settings: Settings) -> Path:
    """The folder of the embedded server."""
    return settings.data_dir / "postgres"


def embedded_cluster(settings: Settings) -> EmbeddedCluster:
    """The embedded server of these settings, not started."""
    from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster

    database = settings.database
    return EmbeddedCluster(
        ClusterSettings(home=postgres_home(settings), binaries=database.binaries, port=database.port, durable=database.durable)
    )


def models_folder(settings: Settings) -> Path:
    """Where model bundles are kept."""
    return settings.data_dir / "models"


def embedded_backups(settings: Settings) -> ClusterBackups:
    """Backup and restore of the embedded server, model bundles included."""
    from adapters.postgres.backup import ClusterBackups

    if settings.storage != "embedded":
        raise ConfigurationError(
            "backups are of the embedded server: use the tools of your own server for storage " + settings.storage_kind
        )
    cluster = embedded_cluster(settings)
    return ClusterBackups(cluster, _passwords(settings), folders={"models": models_folder(settings)})


def reset_data(settings: Settings) -> None:
    """Delete the embedded database and the model bundles. Raises `Unavailable` while somebody uses them."""
    if settings.storage != "embedded":
        raise ConfigurationError(f"only the embedded storage can be reset, was {settings.storage_kind}")
    embedded_cluster(settings).reset()
    shutil.rmtree(models_folder(settings), ignore_errors=True)


def _passwords(settings: Settings) -> RolePasswords:
    from adapters.postgres.roles import DatabaseRole, RolePasswords

    given = {
        DatabaseRole.API: settings.database.api_password,
        DatabaseRole.WORKER: settings.database.worker_password,
        DatabaseRole.SYSTEM: settings.database.system_password,
    }
    home = postgres_home(settings) if settings.storage == "embedded" else settings.data_dir
    return RolePasswords(
        home / "roles.json",
        given={role: value.get_secret_value() for role, value in given.items() if value is not None},
    )


@asynccontextmanager
async def migrator_of(settings: Settings) -> AsyncIterator[Migrator]:
    """Keep PostgreSQL up inside the block (a given server is only addressed) and yield what looks after its schema."""
    from adapters.postgres.address import DatabaseAddress
    from adapters.postgres.migrate import Migrator

    if settings.storage == "memory":
        raise ConfigurationError("storage memory has no schema and keeps nothing: choose embedded or a postgresql:// address")
    passwords = _passwords(settings)
    if settings.storage == "embedded":
        async with embedded_cluster(settings).running() as address:
            yield Migrator(address, passwords, owns_server=True)
    else:
        yield Migrator(DatabaseAddress.parse(settings.storage), passwords)


async def lint_findings(migrator: Migrator) -> Mapping[str, Sequence[Finding]]:
    """What each check of `tradingcore db lint` finds in a migrated database, by its name."""
    from adapters.postgres.connect import connected
    from adapters.postgres.lint.run import lint
    from adapters.postgres.roles import DatabaseRole

    async with connected(migrator.address(DatabaseRole.MIGRATOR)) as connection:
        return await lint(connection)


@asynccontextmanager
async def running(settings: Settings, kind: ProcessKind, *, observer: Observer = SILENT) -> AsyncIterator[Platform]:
    """Yield the platform; everything that it opened is closed at the end.

    Raises `SchemaOutdated` (saying what to run) on an old schema, `Unavailable` when a dependency cannot be reached.
    """
    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {
            "storage_kind": settings.storage_kind,
            "stream_kind": "storage",
            "environment": settings.environment.value,
            "observer": observer,
            "factors": settings.factors,
            "oauth": settings.oauth,
            "has_local_provider": settings.has_local_provider,
            **_mail(settings),
            "phones": settings.phones,
            "phone_kind": settings.phone_provider,
            **_limits(settings),
            **_secrets(settings),
        }
        migrator = None
        if settings.storage_kind == "postgres":
            migrator = await stack.enter_async_context(migrator_of(settings))
            await migrator.check()
            options |= await _engines(stack, settings, kind, migrator)
            options["blob_folder"] = models_folder(settings)
        if settings.stream.log != "storage":
            options |= {"stream_kind": "redis", "redis_url": settings.stream.log}
        container = Container(**options)
        if settings.storage_kind == "postgres":
            # Before the engines go: they hold connections that listen.
            stack.push_async_callback(container.outbox().close)
            stack.push_async_callback(container.rights_feed().close)
        if settings.limits.redis is not None:
            stack.push_async_callback(container.shared_attempts().aclose)
            stack.push_async_callback(container.shared_rates().aclose)
        if settings.stream.log != "storage":
            stack.push_async_callback(container.stream_log().aclose)
        yield Platform(settings=settings, container=container, migrator=migrator)


def mail_folder(settings: Settings) -> Path:
    """Where mails are kept in development."""
    return settings.data_dir / "mailbox"


def _mail(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"mail_kind": settings.mail_sender, "public_url": settings.public_url}
    if settings.mail_sender == "mailbox":
        options["mail_folder"] = mail_folder(settings)
    if settings.mail_sender == "smtp":
        from adapters.smtp.mail import SmtpSettings

        mail = settings.mail
        options["smtp_settings"] = SmtpSettings(
            host=mail.host,
            port=mail.port,
            tls=mail.tls_mode,
            user=mail.user,
            password=None if mail.password is None else mail.password.get_secret_value(),
            sender=mail.from_address,
            authority=mail.authority,
        )
    return options


def _secrets(settings: Settings) -> dict[str, Any]:
    return {
        "secret_of": partial(secret_of, settings),
        "passwords": settings.passwords,
        "tokens": settings.tokens,
        "key_rings": key_rings(settings),
        "signing_rings": signing_rings(settings),
    }


def _limits(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    # Without a limit the quota is never asked.
    quota = Quota(limit=limits.requests_per_minute or 1, window_seconds=60)
    shared = {} if limits.redis is None else {"limits_kind": "redis", "limits_url": limits.redis}
    return {"quota": quota, "own_quota": quota.shared_by(limits.processes), "tell": _tell, **shared}


def _tell(sentence: str) -> None:
    structlog.get_logger("limits").warning("limits_changed", detail=sentence)


async def _engines(stack: AsyncExitStack, settings: Settings, kind: ProcessKind, migrator: Migrator) -> dict[str, Any]:
    from adapters.postgres.connect import connected
    from adapters.postgres.engine import EngineSettings, create_engine
    from adapters.postgres.roles import DatabaseRole, assert_safe_role

    role = DatabaseRole.API if kind is ProcessKind.API else DatabaseRole.WORKER

    async def engine_of(address: DatabaseAddress, size: int, *, may_bypass: bool) -> Any:
        async with connected(address) as connection:
            await assert_safe_role(connection, may_bypass=may_bypass)
        engine = create_engine(address, EngineSettings(application=f"tradingcore-{kind.value}", pool_size=size))
        stack.push_async_callback(engine.dispose)
        return engine

    own = await engine_of(migrator.address(role), settings.database.pool_size, may_bypass=False)
    # A process that strangers talk to holds no connection that row-level security would not bind.
    is_open = kind is ProcessKind.API
    system = own if is_open else await engine_of(migrator.address(DatabaseRole.SYSTEM), 4, may_bypass=True)
    return {"address": migrator.address(role), "engine": own, "system_engine": system}
