"""Backup and restore of the embedded cluster: a dump that any later version of PostgreSQL can read, with the files beside it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.archive import unpack_archive, write_archive
from adapters.postgres.cluster import EmbeddedCluster
from adapters.postgres.connect import connected
from adapters.postgres.errors import ServerUnavailable, StorageFull
from adapters.postgres.files import sync_folder
from adapters.postgres.launch import CLEAN_ENVIRONMENT
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import RolePasswords, prepare_database
from adapters.postgres.startup import folder_refused
from tradingcore.kernel.errors import InvalidInput

_INCOMING: Final = "tradingcore_incoming"
_REPLACED: Final = "tradingcore_replaced"


class ClusterBackups:
    """Backups of one embedded cluster and of ``folders`` by name, whose files are written once and never change."""

    def __init__(self, cluster: EmbeddedCluster, passwords: RolePasswords, *, folders: Mapping[str, Path] | None = None) -> None:
        self._cluster = cluster
        self._passwords = passwords
        self._folders = dict(folders or {})

    async def backup(self, file: Path) -> int:
        """Write a consistent copy to ``file`` while others work, and return its bytes. Raises `InvalidInput` if it exists."""
        with _scratch_beside(_unused(file), kind="folder for the backup") as scratch:
            async with self._cluster.running() as address:
                await self._write(scratch, address)
            return _finish(scratch / "backup.tar", file)

    async def restore(self, file: Path) -> str | None:
        """Replace the database by that of ``file``, add its files, and return the revision that it is at.

        The old database stays until the new one is complete. Raises `InvalidInput` for a file that is no whole backup and
        `ServerUnavailable` while somebody else is connected.
        """
        with _scratch_beside(self._cluster.home / "restore") as scratch:
            manifest, dump = await asyncio.to_thread(unpack_archive, file, scratch, frozenset(self._folders))
            async with self._cluster.running() as address:
                await Migrator(address, self._passwords, owns_server=True).prepare()
                async with connected(address.in_database("postgres")) as server:
                    await _refuse_others(server, address.database)
                    await self._fill(server, address, dump)
                    await _swap(server, address.database)
            await asyncio.to_thread(self._add_files, scratch)
        return manifest.revision

    async def _write(self, scratch: Path, address: DatabaseAddress) -> None:
        status = await Migrator(address, self._passwords, owns_server=True).status()
        dump = scratch / "database.dump"
        await self._program("pg_dump", address, "--format=custom", f"--file={dump}", address.database)
        # The dump first: a file that its rows speak of was there before them.
        await asyncio.to_thread(
            write_archive,
            scratch / "backup.tar",
            dump,
            self._folders,
            server_major=self._cluster.binaries().major,
            revision=status.current,
        )

    async def _fill(self, server: Any, address: DatabaseAddress, dump: Path) -> None:
        # What an earlier restore that was killed left behind.
        await server.execute(f"drop database if exists {_INCOMING} with (force)")
        await server.execute(f"create database {_INCOMING} template template0 encoding 'UTF8'")
        incoming = address.in_database(_INCOMING)
        await self._program("pg_restore", incoming, "--exit-on-error", "--single-transaction", f"--dbname={_INCOMING}", str(dump))
        async with connected(incoming) as connection:
            await prepare_database(connection)
            if await connection.fetchval("select to_regprocedure('public.stream_start_over()')") is not None:
                # Offsets that were given out after the backup must not be taken for others that come now.
                await connection.execute("select public.stream_start_over()")

    def _add_files(self, scratch: Path) -> None:
        for name, folder in self._folders.items():
            for source in sorted(path for path in (scratch / name).rglob("*") if path.is_file()):
                target = folder / source.relative_to(scratch / name)
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    arriving = target.with_name(target.name + ".incoming")
                    shutil.copyfile(source, arriving)
                    arriving.replace(target)

    async def _program(self, name: str, address: DatabaseAddress, *arguments: str) -> None:
        command = [self._cluster.binaries().program(name), f"--host={address.host}", f"--port={address.port}"]
        command += [f"--username={address.user}", "--no-password", *arguments]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={**CLEAN_ENVIRONMENT, "PGPASSWORD": address.password},
            )
        except OSError as error:
            raise ServerUnavailable(f"{command[0]} cannot be run: {error.strerror}") from None
        try:
            _, said = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            text = said.decode(errors="replace")
            if "No space left on device" in text:
                raise StorageFull(f"the disk is full, {name} stopped and nothing was changed: free space, then repeat")
            first = next((line for line in text.splitlines() if "error" in line), "it left no message")
            raise ServerUnavailable(f"{name} stopped and nothing was changed: {first}")


async def _refuse_others(server: Any, database: str) -> None:
    others = await server.fetchval("select count(*) from pg_stat_activity where datname = $1", database)
    if others:
        raise ServerUnavailable(f"the database has {others} connections: stop serve, worker and demo first, then repeat")


async def _swap(server: Any, database: str) -> None:
    try:
        async with server.transaction():
            await server.execute(f"alter database {database} rename to {_REPLACED}")
            await server.execute(f"alter database {_INCOMING} rename to {database}")
    except asyncpg.ObjectInUseError:
        raise ServerUnavailable("somebody connected to the database meanwhile: stop serve, worker and demo, then repeat") from None
    await server.execute(f"drop database {_REPLACED} with (force)")


def _unused(file: Path) -> Path:
    if file.exists():
        raise InvalidInput(f"{file} exists already: choose another name")
    return file


def _finish(whole: Path, file: Path) -> int:
    size = whole.stat().st_size
    whole.replace(file)
    sync_folder(file.absolute().parent)
    return size


@contextmanager
def _scratch_beside(file: Path, *, kind: str = "data folder") -> Iterator[Path]:
    """A private folder on the same disk, so that a rename is enough at the end. Nothing of it stays."""
    folder = file.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".tradingcore-", dir=folder))
    except OSError as error:
        raise folder_refused(folder, error, kind=kind) from None
    try:
        yield scratch
    except OSError as error:
        raise folder_refused(folder, error, kind=kind) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
