from __future__ import annotations

import asyncio
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.postgres.archive import unpack_archive, write_archive
from adapters.postgres.backup import ClusterBackups
from adapters.postgres.cluster import ClusterSettings, EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.engine import EngineSettings, create_engine, transaction
from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import DatabaseRole, RolePasswords
from tests.asvs import asvs
from tests.integration.postgres.server import run_apart
from tradingcore.kernel.authz import Actor, TraceId
from tradingcore.kernel.errors import InvalidInput


class Installation:
    """An embedded cluster with a folder of files beside it."""

    def __init__(self, folder: Path) -> None:
        self.cluster = EmbeddedCluster(ClusterSettings(home=folder / "postgres", durable=False))
        self.passwords = RolePasswords(folder / "postgres" / "roles.json")
        self.models = folder / "models"
        self.backups = ClusterBackups(self.cluster, self.passwords, folders={"models": self.models})

    async def migrate(self) -> None:
        async with self.cluster.running() as address:
            await Migrator(address, self.passwords).up()

    async def beat(self, year: int) -> None:
        async with self.cluster.running() as address, connected(address) as connection:
            await connection.execute("update public.heartbeat set beaten_at = make_date($1, 1, 1)", year)

    async def year(self) -> int:
        """As the API reads it, so that roles, grants and passwords are proven as well."""
        async with self.cluster.running() as address:
            api = Migrator(address, self.passwords).address(DatabaseRole.API)
            engine = create_engine(api, EngineSettings(application="test"))
            async with transaction(engine, Actor.anonymous(TraceId("0" * 32)), read_only=True) as connection:
                found = await connection.scalar(text("select extract(year from beaten_at)::int from public.heartbeat"))
            await engine.dispose()
            return int(found or 0)

    def blob(self, content: bytes) -> Path:
        file = self.models / "ab" / "abcd"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file


@pytest.fixture(scope="module")
def migrated() -> Iterator[Path]:
    """An installation that was migrated once: copied, because making one takes longest."""
    with tempfile.TemporaryDirectory(prefix="tradingcore-backup-") as folder:
        run_apart(Installation(Path(folder)).migrate())
        yield Path(folder)


@pytest.fixture
def here(folder: Path, migrated: Path) -> Installation:
    shutil.copytree(migrated, folder / "here")
    return Installation(folder / "here")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tradingcore-backup-") as folder:
        yield Path(folder)


def _scratch_left(folder: Path) -> list[Path]:
    return list(folder.rglob(".tradingcore-*"))


async def test_backup_restores_rows_rights_and_files_into_the_same_and_into_a_new_installation(
    folder: Path, here: Installation
) -> None:
    there, file = Installation(folder / "there"), folder / "copies" / "backup"
    await here.beat(2001)
    blob = here.blob(b"a model")
    async with here.cluster.running():
        size = await here.backups.backup(file)
    assert size == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0

    await here.beat(2002)
    blob.unlink()
    revision = await here.backups.restore(file)
    assert await here.year() == 2001
    assert blob.read_bytes() == b"a model"

    await there.backups.restore(file)
    assert await there.year() == 2001
    assert (there.models / "ab" / "abcd").read_bytes() == b"a model"
    async with there.cluster.running() as address:
        assert (await Migrator(address, there.passwords).check()).current == revision
    assert _scratch_left(folder) == []


async def test_restore_refuses_while_somebody_is_connected(folder: Path, here: Installation) -> None:
    file = folder / "backup"
    await here.backups.backup(file)
    async with here.cluster.running() as address, connected(address):
        with pytest.raises(ServerUnavailable, match="stop serve, worker and demo first"):
            await here.backups.restore(file)


async def test_backup_never_overwrites(folder: Path) -> None:
    file = folder / "backup"
    file.write_text("precious")
    with pytest.raises(InvalidInput, match="exists already"):
        await Installation(folder / "here").backups.backup(file)
    assert file.read_text() == "precious"


async def test_damaged_backup_changes_nothing(folder: Path, here: Installation) -> None:
    file = folder / "backup"
    await here.beat(2001)
    await here.backups.backup(file)
    await here.beat(2002)
    whole = file.read_bytes()
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(broken), b"", b"not a tar at all" * 100):
        file.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=r"damaged|cut off|not a backup"):
            await here.backups.restore(file)
    assert await here.year() == 2002
    assert _scratch_left(folder) == []


async def test_dump_that_the_database_refuses_leaves_the_old_one(folder: Path, here: Installation) -> None:
    file = folder / "backup"
    await here.beat(2002)
    (folder / "nonsense").write_bytes(b"PGDMP but not really")
    write_archive(file, folder / "nonsense", {}, server_major=18, revision="0001")
    with pytest.raises(ServerUnavailable, match="pg_restore stopped and nothing was changed"):
        await here.backups.restore(file)
    assert await here.year() == 2002


@asvs("5.3.2", "5.3.3")
@pytest.mark.parametrize("name", ["../outside", "models/../../outside", "/etc/outside", "elsewhere/file"])
def test_member_with_a_hostile_name_is_refused(folder: Path, name: str) -> None:
    (folder / "dump").write_bytes(b"dump")
    hostile, into = folder / "hostile", folder / "into"
    into.mkdir()
    write_archive(hostile, folder / "dump", {}, server_major=18, revision=None)
    with tarfile.open(hostile) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        about = manifest.read().replace(b'"database.dump": ', f'"{name}": "", "database.dump": '.encode())
    (folder / "manifest.json").write_bytes(about)
    with tarfile.open(hostile, "w") as archive:
        archive.add(folder / "manifest.json", "manifest.json")
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(InvalidInput, match="a member that no backup has"):
        unpack_archive(hostile, into, frozenset({"models"}))
    assert not (folder / "outside").exists()
    assert os.listdir(into) == []


@asvs("5.2.5", "5.3.3")
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_member_that_is_no_plain_file_is_refused(folder: Path, kind: bytes) -> None:
    (folder / "dump").write_bytes(b"dump")
    (folder / "models").mkdir()
    (folder / "models" / "m").write_bytes(b"m")
    hostile, into = folder / "hostile", folder / "into"
    into.mkdir()
    write_archive(hostile, folder / "dump", {"models": folder / "models"}, server_major=18, revision=None)
    with tarfile.open(hostile) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        (folder / "manifest.json").write_bytes(manifest.read())
    with tarfile.open(hostile, "w") as archive:
        archive.add(folder / "manifest.json", "manifest.json")
        link = tarfile.TarInfo("models/m")
        link.type, link.linkname = kind, "../../outside"
        archive.addfile(link)
    with pytest.raises(InvalidInput, match="a member that no backup has"):
        unpack_archive(hostile, into, frozenset({"models"}))
    assert os.listdir(into) == []


async def test_cancelled_backup_leaves_no_file_and_no_process(folder: Path, here: Installation) -> None:
    file = folder / "backup"
    task = asyncio.create_task(here.backups.backup(file))
    while not _scratch_left(folder):  # noqa: ASYNC110 - a folder sends no event
        await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not file.exists()
    assert _scratch_left(folder) == []
    assert here.cluster.find_running() is None


async def test_folder_that_takes_no_backup_is_named_as_what_it_is(tmp_path: Path) -> None:
    cluster = EmbeddedCluster(ClusterSettings(home=tmp_path / "postgres"))
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ServerMisconfigured, match="gone cannot be used as a folder for the backup"):
        await ClusterBackups(cluster, RolePasswords(tmp_path / "roles.json")).backup(tmp_path / "gone" / "b.tar")
