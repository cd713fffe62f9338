"""Makes the data of a cluster if there is none, and starts its server."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.binaries import Binaries, find_binaries
from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable, StorageFull
from adapters.postgres.files import open_private, sync_folder, write_private
from adapters.postgres.launch import find_launcher
from adapters.postgres.postmaster import POLL_SECONDS, ServerLock

SUPERUSER: Final = "postgres"
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


class ServerStart:
    """One start, by the holder of the cluster's lock, who has taken the server's ``lock`` for it."""

    def __init__(self, settings: ClusterSettings, home: Path, server: ServerLock, lock: int) -> None:
        self._settings = settings
        self._home = home
        self._data = home / "data"
        self._log = home / "server.log"
        self._server = server
        self._lock = lock
        self._launcher = find_launcher()

    def run(self) -> int:
        """Return the port of the server, which is ready. Raises what `EmbeddedCluster.running` raises, and `OSError`."""
        major = data_major(self._data)
        binaries = find_binaries(given=self._settings.binaries, data_major=major)
        left = self._server.read().port
        self._make_ready(binaries, is_new=major is None)
        for attempt in range(_PORT_ATTEMPTS):
            # Who used a server that was killed looks for it where it was.
            port = self._settings.port or (left if left and attempt == 0 else _free_port())
            process, said = self._spawn(binaries, port)
            if self._answers(process):
                return port
            text = _since(self._log, said)
            if "could not bind" not in text:
                raise _start_failed(self._home, text)
            if self._settings.port:
                raise ServerMisconfigured(
                    f"port {port} is in use by another program: free it, or set the port of the embedded database to 0"
                )
        raise ServerUnavailable(f"no free port was found for PostgreSQL on 127.0.0.1 in {_PORT_ATTEMPTS} attempts")

    def _make_ready(self, binaries: Binaries, *, is_new: bool) -> None:
        if self._launcher.change_to is not None:
            self._home.chmod(0o711)  # the other identity has to pass through; its own folder inside stays closed
        if is_new:
            self._initialise(binaries)
        owner = self._data.stat().st_uid
        if owner != self._launcher.owner:
            if os.geteuid() != 0:
                raise ServerMisconfigured(f"{self._data} belongs to user {owner}: run as that user or choose another data folder")
            self._launcher.own(self._data)
        # We hold the server's lock, so nothing lives that it could speak of.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self, binaries: Binaries) -> None:
        # Into a folder of its own and renamed when complete: a kill in the middle leaves nothing that looks like a database.
        incoming = self._home / "data.incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(mode=0o700)
        password = secrets.token_urlsafe(32)
        write_private(self._home / "superuser.password", password)
        lent = self._home / "initdb.password"  # a copy for the eyes of initdb, which may run as somebody else
        write_private(lent, password)
        self._launcher.own(incoming)
        self._launcher.own(lent)
        command = [binaries.program("initdb"), "-D", str(incoming), "-U", SUPERUSER, "--pwfile", str(lent)]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--data-checksums"]
        if not self._settings.durable:
            command.append("--no-sync")
        try:
            answer = self._run(command)
        finally:
            lent.unlink()
        if answer.returncode != 0:
            shutil.rmtree(incoming, ignore_errors=True)
            raise _initialisation_failed(self._home, answer.stderr or answer.stdout)
        incoming.rename(self._data)
        sync_folder(self._home)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self._launcher.run(command, timeout=self._settings.start_seconds, inherited=[self._lock])
        except subprocess.TimeoutExpired:
            raise ServerUnavailable(
                f"{Path(command[0]).name} did not finish within {self._settings.start_seconds:.0f} seconds"
            ) from None
        except OSError as error:
            raise ServerUnavailable(f"{command[0]} cannot be run: {error.strerror}") from None

    def _spawn(self, binaries: Binaries, port: int) -> tuple[subprocess.Popen[bytes], int]:
        switch = "on" if self._settings.durable else "off"
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
            "client_connection_check_interval": "1s",  # a statement of a killed client ends, and lets go of its locks
            "jit": "off",
        }
        command = [binaries.program("postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG_BYTES:
            self._log.replace(self._home / "server.log.1")
        with open(self._log, "ab", opener=open_private) as log:
            said = log.tell()
            process = self._launcher.spawn(command, log=log, inherited=self._lock)
        # The direct parent has to collect it when it ends.
        threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
        return process, said

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the new server is ready, or return false because it ended."""
        deadline = time.monotonic() + self._settings.start_seconds
        while time.monotonic() < deadline:
            server = self._server.find()
            if server is not None and server.pid == process.pid and server.is_ready and accepts(server.port):
                return True
            if process.poll() is not None:
                return False
            time.sleep(POLL_SECONDS)
        process.kill()
        raise ServerUnavailable(
            f"the PostgreSQL of {self._home} was not ready within {self._settings.start_seconds:.0f} seconds and was ended: "
            f"read {self._log}, then repeat"
        )


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def folder_refused(
    folder: Path, error: OSError, *, kind: str = "data folder"
) -> ServerUnavailable | ServerMisconfigured | StorageFull:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"the disk of {folder} is full: free space or choose another {kind}")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ServerMisconfigured(f"{folder} cannot be written ({os.strerror(error.errno)}): choose another {kind}")
    return ServerMisconfigured(f"{folder} cannot be used as a {kind}: {error.strerror or error}")


def data_major(data: Path) -> int | None:
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


def _since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        return file.read().decode(errors="replace")


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
