"""Our own manager of a PostgreSQL that lives in a folder: no service, no account, no root needed.

The folder (``home``) holds ``data`` (the data of PostgreSQL), ``server.log``, ``superuser.password`` and three lock files. Several
processes share one server: whoever comes first starts it, whoever leaves last stops it. ``cluster.lock`` is held while somebody
comes or leaves, ``users.lock`` by everybody who uses the server, ``server.lock`` by the server itself. The kernel drops the locks
of a process that dies, so nothing has to be repaired after a kill.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.binaries import Binaries, find_binaries
from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable
from adapters.postgres.postmaster import POLL_SECONDS, Postmaster, ServerLock
from adapters.postgres.startup import SUPERUSER, ClusterSettings, ServerStart, accepts, data_major, folder_refused
from tradingcore.kernel.errors import TradingCoreError

__all__ = ("DATABASE", "ClusterSettings", "EmbeddedCluster", "Hold")

DATABASE: Final = "tradingcore"
_WATCH_SECONDS: Final = 0.5
_TAKE_ATTEMPTS: Final = 50
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Hold:
    """One user's claim on the running server. Give it back with `EmbeddedCluster.release`."""

    administrator: DatabaseAddress
    lock: int


class EmbeddedCluster:
    """Starts, shares and stops the PostgreSQL of one folder."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._home = settings.home.expanduser().resolve()
        self._data = self._home / "data"
        self._server = ServerLock(self._home)

    @property
    def home(self) -> Path:
        return self._home

    @property
    def log(self) -> Path:
        return self._home / "server.log"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DatabaseAddress]:
        """Keep the server up inside the block and yield the administrator's address.

        Starts it when it is not up, joins it when it is; the last to leave stops it. A server that is killed meanwhile comes back
        at the same address. Raises `ServerUnavailable`, `StorageFull` or `ServerMisconfigured`, each with a sentence.
        """
        hold: Hold | None = None

        def enter() -> None:
            nonlocal hold
            hold = self.acquire()

        try:
            await _to_the_end(enter)
            assert hold is not None
            watch = asyncio.create_task(self._revive_when_lost())
            try:
                yield hold.administrator
            finally:
                watch.cancel()
                await asyncio.wait([watch])
        finally:
            if hold is not None:
                await _to_the_end(self.release, hold)

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
        address = DatabaseAddress(host="127.0.0.1", port=port, database=DATABASE, user=SUPERUSER, password=password)
        return Hold(address, users)

    def release(self, hold: Hold) -> None:
        """The blocking form of leaving `running`: stops the server if nobody else uses it."""
        with self._guarded():
            try:
                fcntl.flock(hold.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._server.stop()
            finally:
                os.close(hold.lock)

    def find_running(self) -> Postmaster | None:
        """Return the living server of this folder, without starting one."""
        return self._server.find()

    def binaries(self) -> Binaries:
        """Return the programs that this cluster's data needs. Raises what `running` raises."""
        return find_binaries(given=self.settings.binaries, data_major=data_major(self._data))

    def reset(self) -> None:
        """Delete the data of this cluster. Raises `ServerUnavailable` while somebody uses it."""
        if not self._home.exists():
            return
        with self._guarded():
            users = self._open_lock("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._server.stop()
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

    async def _revive_when_lost(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._server.find() is None:
                try:
                    await _to_the_end(self._revive)
                except TradingCoreError as error:
                    _logger.error("embedded_server_not_revived: %s", error)  # noqa: TRY400 - the sentence says it all
                else:
                    _logger.warning("embedded_server_revived")

    def _revive(self) -> None:
        with self._guarded():
            self._ensure_up()

    # Everything below runs with the cluster's lock held.

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise folder_refused(self._home, error) from None
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
            raise folder_refused(self._home, error) from None

    def _ensure_up(self) -> int:
        lock = self._server.take()
        if lock is None:
            port = self._join()
            if port is not None:
                return port
            lock = self._take_over()
        try:
            return ServerStart(self.settings, self._home, self._server, lock).run()
        except OSError as error:
            raise folder_refused(self._home, error) from None
        finally:
            # The server has its own copy by now, if there is one.
            os.close(lock)

    def _join(self) -> int | None:
        """Return the port of the living server when it answers, ``None`` when it is on its way out."""
        deadline = time.monotonic() + self.settings.start_seconds
        while time.monotonic() < deadline:
            server = self._server.find()
            if server is None or server.is_stopping or (server.pid > 0 and not _is_alive(server.pid)):
                return None
            if server.is_ready and accepts(server.port):
                return server.port
            time.sleep(POLL_SECONDS)
        raise ServerUnavailable(
            f"a PostgreSQL lives in {self._home} and does not answer: end its processes (their numbers begin in "
            f"{self._data / 'postmaster.pid'}), then repeat"
        )

    def _take_over(self) -> int:
        self._server.stop()
        for _ in range(_TAKE_ATTEMPTS):
            # Somebody who only looks may hold the lock for an instant.
            lock = self._server.take()
            if lock is not None:
                return lock
            time.sleep(POLL_SECONDS)
        raise ServerUnavailable(f"another program keeps PostgreSQL in {self._home} busy: end it, then repeat")

    def _superuser_password(self) -> str:
        file = self._home / "superuser.password"
        try:
            return file.read_text().strip()
        except OSError as error:
            raise ServerMisconfigured(
                f"{file} cannot be read ({error.strerror}): put it back, it opens the data beside it"
            ) from None


async def _to_the_end(work: Callable[..., object], *arguments: object) -> None:
    """Run in a thread and wait for it even when cancelled, as a thread cannot be stopped half-way."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
