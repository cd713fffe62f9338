"""Our own manager of a PostgreSQL that lives in a folder: no service, no account, no root needed.

The folder (``home``) holds ``data`` (the data of PostgreSQL), ``server.log``, ``superuser.password`` and two lock files. Several
processes share one server: whoever comes first starts it, whoever leaves last stops it. The kernel drops the locks of a process
that dies, so nothing has to be repaired after a kill.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.binaries import Binaries, find_binaries
from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable, StorageFull
from adapters.postgres.files import write_private
from adapters.postgres.launch import Launcher, find_launcher
from adapters.postgres.postmaster import Postmaster, disarm_stale_lock, find_postmaster

DATABASE: Final = "tradingcore"
_SUPERUSER: Final = "postgres"
_POLL_SECONDS: Final = 0.02
_PORT_ATTEMPTS: Final = 5
_LARGEST_LOG_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """How to run the server of ``home``.

    ``port`` 0 takes a free one at each start. ``durable`` off is for tests alone: a crash of the machine may lose or corrupt data.
    """

    home: Path
    binaries: Path | None = None
    port: int = 0
    durable: bool = True
    start_seconds: float = 120.0


@dataclass(slots=True)
class Hold:
    """One user's claim on the running server. Give it back with `EmbeddedCluster.release`."""

    administrator: DatabaseAddress
    _users: int


class EmbeddedCluster:
    """Starts, shares and stops the PostgreSQL of one folder."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._home = settings.home.expanduser().absolute()
        self._data = self._home / "data"

    @property
    def home(self) -> Path:
        return self._home

    @property
    def log(self) -> Path:
        return self._home / "server.log"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DatabaseAddress]:
        """Keep the server up inside the block and yield the administrator's address.

        Starts it when it is not up, joins it when it is; the last to leave stops it. Raises `ServerUnavailable`, `StorageFull` or
        `ServerMisconfigured`, each with a sentence.
        """
        acquiring = asyncio.ensure_future(asyncio.to_thread(self.acquire))
        try:
            hold = await asyncio.shield(acquiring)
        except asyncio.CancelledError:
            # The thread cannot be stopped half-way: wait for it, then leave in order.
            await asyncio.wait([acquiring])
            if acquiring.exception() is None:
                await asyncio.to_thread(self.release, acquiring.result())
            raise
        try:
            yield hold.administrator
        finally:
            releasing = asyncio.ensure_future(asyncio.to_thread(self.release, hold))
            try:
                await asyncio.shield(releasing)
            except asyncio.CancelledError:
                await asyncio.wait([releasing])
                raise

    def acquire(self) -> Hold:
        """The blocking form of entering `running`."""
        with self._guarded():
            users = self._open_lock("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                port = self._ensure_up()
                password = self._superuser_password()
            except BaseException:
                os.close(users)
                raise
        address = DatabaseAddress(host="127.0.0.1", port=port, database=DATABASE, user=_SUPERUSER, password=password)
        return Hold(address, users)

    def release(self, hold: Hold) -> None:
        """The blocking form of leaving `running`: stops the server if nobody else uses it."""
        with self._guarded():
            try:
                fcntl.flock(hold._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._stop()
            finally:
                os.close(hold._users)

    def find_running(self) -> Postmaster | None:
        """Return the living server of this folder, without starting one."""
        return find_postmaster(self._data)

    def reset(self) -> None:
        """Delete the data of this cluster. Raises `ServerUnavailable` while somebody uses it."""
        if not self._home.exists():
            return
        with self._guarded():
            users = self._open_lock("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._stop()
                for name in ("data", "data.incoming"):
                    shutil.rmtree(self._home / name, ignore_errors=True)
                for name in ("superuser.password", "roles.json", "server.log", "server.log.1"):
                    (self._home / name).unlink(missing_ok=True)
            except BlockingIOError:
                raise ServerUnavailable(
                    f"the database in {self._home} is in use: stop serve, worker or demo first, then repeat"
                ) from None
            finally:
                os.close(users)

    # Everything below runs with the cluster's lock held.

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _folder_refused(self._home, error) from None
        lock = self._open_lock("cluster.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open_lock(self, name: str) -> int:
        try:
            return os.open(self._home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _folder_refused(self._home, error) from None

    def _ensure_up(self) -> int:
        server = find_postmaster(self._data)
        if server is not None:
            if server.status != "stopping":
                return self._await_ready(None, server.pid).port
            server.stop()
        launcher = find_launcher()
        major = _data_major(self._data)
        binaries = find_binaries(given=self.settings.binaries, data_major=major)
        try:
            if launcher.change_to is not None:
                self._home.chmod(0o711)  # the other identity has to pass through; its own folder inside stays closed
            if major is None:
                self._initialise(binaries, launcher)
            self._adopt_files(launcher)
            disarm_stale_lock(self._data)
        except OSError as error:
            raise _folder_refused(self._home, error) from None
        return self._start(binaries, launcher).port

    def _superuser_password(self) -> str:
        file = self._home / "superuser.password"
        try:
            return file.read_text().strip()
        except OSError as error:
            raise ServerMisconfigured(
                f"{file} cannot be read ({error.strerror}): put it back, it opens the data beside it"
            ) from None

    def _initialise(self, binaries: Binaries, launcher: Launcher) -> None:
        # Into a folder of its own and renamed when complete: a kill in the middle leaves nothing that looks like a database.
        incoming = self._home / "data.incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(mode=0o700)
        password = secrets.token_urlsafe(32)
        password_file = self._home / "superuser.password"
        write_private(password_file, password)
        launcher.own(incoming)
        launcher.own(password_file)
        command = [binaries.program("initdb"), "-D", str(incoming), "-U", _SUPERUSER, "--pwfile", str(password_file)]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--data-checksums"]
        if not self.settings.durable:
            command.append("--no-sync")
        answer = self._run(launcher, command)
        if answer.returncode != 0:
            shutil.rmtree(incoming, ignore_errors=True)
            raise _initialisation_failed(self._home, answer.stderr or answer.stdout)
        incoming.rename(self._data)

    def _run(self, launcher: Launcher, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return launcher.run(command, timeout=self.settings.start_seconds)
        except subprocess.TimeoutExpired:
            raise ServerUnavailable(
                f"{Path(command[0]).name} did not finish within {self.settings.start_seconds:.0f} seconds"
            ) from None
        except OSError as error:
            raise ServerUnavailable(f"{command[0]} cannot be run: {error.strerror}") from None

    def _adopt_files(self, launcher: Launcher) -> None:
        owner = self._data.stat().st_uid
        if owner == launcher.owner:
            return
        if os.geteuid() != 0:
            raise ServerMisconfigured(f"{self._data} belongs to user {owner}: run as that user or choose another data folder")
        launcher.own(self._data)

    def _start(self, binaries: Binaries, launcher: Launcher) -> Postmaster:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = self.settings.port or _free_port()
            process, said = self._spawn(binaries, launcher, port)
            try:
                return self._await_ready(process, process.pid)
            except ServerUnavailable:
                text = _since(self.log, said)
                if "could not bind" in text or "Address already in use" in text:
                    if self.settings.port:
                        raise ServerMisconfigured(
                            f"port {port} is in use by another program: free it, or set the port of the embedded database to 0"
                        ) from None
                    if attempt < _PORT_ATTEMPTS:
                        continue
                if "shared memory block" in text and "still in use" in text and attempt < _PORT_ATTEMPTS:
                    # Orphans of a killed server notice within a moment that they are alone.
                    time.sleep(1.0)
                    continue
                raise _start_failed(self._home, text) from None
        raise ServerUnavailable(f"no free port was found for PostgreSQL on 127.0.0.1 in {_PORT_ATTEMPTS} attempts")

    def _spawn(self, binaries: Binaries, launcher: Launcher, port: int) -> tuple[subprocess.Popen[bytes], int]:
        switch = "on" if self.settings.durable else "off"
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": switch,
            "synchronous_commit": switch,
            "full_page_writes": switch,
            "max_connections": 100,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_error_statement": "panic",  # an ERROR would put the statement, and with it people's data, into the log
            "log_error_verbosity": "terse",  # and so would its DETAIL
            "log_checkpoints": "off",
            "jit": "off",
        }
        command = [binaries.program("postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        try:
            if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
                self.log.replace(self._home / "server.log.1")
            with self.log.open("ab") as log:
                said = log.tell()
                process = launcher.spawn(command, log=log)
        except OSError as error:
            raise _folder_refused(self._home, error) from None
        # The direct parent has to collect it: as a zombie it would look alive to the next start.
        threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
        return process, said

    def _await_ready(self, process: subprocess.Popen[bytes] | None, pid: int) -> Postmaster:
        deadline = time.monotonic() + self.settings.start_seconds
        while time.monotonic() < deadline:
            server = find_postmaster(self._data)
            if server is not None and server.pid == pid and server.is_ready and _accepts(server.port):
                return server
            if (process is not None and process.poll() is not None) or (process is None and server is None):
                raise ServerUnavailable("the server ended while it started")
            time.sleep(_POLL_SECONDS)
        if process is not None:
            process.terminate()
        raise ServerUnavailable(
            f"the PostgreSQL of {self._home} (process {pid}) did not answer within {self.settings.start_seconds:.0f} seconds: "
            f"read {self.log}, end that process, then repeat"
        )

    def _stop(self) -> None:
        server = find_postmaster(self._data)
        if server is not None:
            server.stop()


def _data_major(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        if data.is_dir() and any(data.iterdir()):
            raise ServerMisconfigured(f"{data} is not empty and not a PostgreSQL data folder: choose another data folder") from None
        return None
    except (OSError, ValueError) as error:
        raise ServerMisconfigured(f"{data} cannot be read as a PostgreSQL data folder: {error}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        return file.read().decode(errors="replace")


def _folder_refused(folder: Path, error: OSError) -> ServerUnavailable | ServerMisconfigured | StorageFull:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"the disk of {folder} is full: free space or choose another data folder")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ServerMisconfigured(f"{folder} cannot be written ({os.strerror(error.errno)}): choose another data folder")
    return ServerMisconfigured(f"{folder} cannot be used as a data folder: {error.strerror or error}")


def _initialisation_failed(home: Path, said: str) -> ServerUnavailable | ServerMisconfigured | StorageFull:
    if "No space left on device" in said:
        return StorageFull(f"the disk of {home} is full: PostgreSQL needs about 60 MB there to begin with")
    return _start_failed(home, said)


def _start_failed(home: Path, said: str) -> ServerUnavailable | ServerMisconfigured | StorageFull:
    if "No space left on device" in said:
        return StorageFull(f"the disk of {home} is full: free space, then repeat")
    if "Permission denied" in said:
        return ServerMisconfigured(
            f"PostgreSQL may not read or write in {home}: its user needs that folder and the way to it; choose another data folder"
        )
    last = next((line for line in reversed(said.splitlines()) if "FATAL" in line or "error" in line.lower()), "it left no message")
    return ServerUnavailable(f"PostgreSQL did not start in {home}: {last.split('FATAL:')[-1].strip()} (all of it is in server.log)")
