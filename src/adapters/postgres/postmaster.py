"""The server process of one data folder: whether it lives, where it listens, how it is stopped.

The server inherits a locked file from whoever starts it, and so does every process that it forks, and initdb before it. So the
lock says what process numbers cannot, which come back, outlive their process as zombies and differ between containers: whether
anything still lives on this data.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.errors import ServerUnavailable

POLL_SECONDS: Final = 0.02
_FAST_STOP_SECONDS: Final = 30.0
_INSIST_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What ``postmaster.pid`` says. ``pid`` and ``port`` are 0 and ``status`` is empty while it says nothing yet."""

    pid: int
    port: int
    status: str

    @property
    def is_ready(self) -> bool:
        return self.status == "ready" and self.port > 0

    @property
    def is_stopping(self) -> bool:
        return self.status == "stopping"


class ServerLock:
    """The lock on a data folder that lives as long as its server does."""

    def __init__(self, home: Path) -> None:
        self._file = home / "server.lock"
        self._data = home / "data"

    def take(self) -> int | None:
        """Return a locked descriptor to hand to a new server, or ``None`` while one lives."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def find(self) -> Postmaster | None:
        """Return the living server, or ``None``."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            # Shared: two that look at the same time must not take each other for a server.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self.read()
        finally:
            os.close(descriptor)
        return None

    def stop(self) -> None:
        """Ask for a fast shutdown and wait for the last process; insist if that takes too long, as the log replays.

        A server whose postmaster was killed has only orphans left, which end by themselves: there is nobody to signal then.
        """
        steps = ((signal.SIGINT, _FAST_STOP_SECONDS), (signal.SIGQUIT, _INSIST_SECONDS), (signal.SIGKILL, _INSIST_SECONDS))
        for number, patience in steps:
            server = self.find()
            if server is None:
                return
            if server.pid > 0:
                try:
                    os.kill(server.pid, number)
                except ProcessLookupError:
                    pass
                except PermissionError:
                    raise ServerUnavailable(f"process {server.pid} serves {self._data} for another user: stop it first") from None
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if self.find() is None:
                    return
                time.sleep(POLL_SECONDS)
        raise ServerUnavailable(f"the PostgreSQL of {self._data} does not end: end its processes, then repeat")

    def read(self) -> Postmaster:
        """Return what the file says, whether or not that server lives: a killed one leaves it behind."""
        # Lines: pid, data, start time, port, socket folder, address, shared memory, status.
        try:
            lines = [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        except (OSError, UnicodeDecodeError):
            lines = []
        lines += [""] * (8 - len(lines))
        pid, port = (int(line) if line.isdigit() else 0 for line in (lines[0], lines[3]))
        return Postmaster(pid, port, lines[7])
