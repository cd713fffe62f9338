"""The server process of one data folder: who it is, whether it lives, how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.errors import ServerUnavailable

_POLL_SECONDS: Final = 0.02
_FAST_STOP_SECONDS: Final = 30.0
_NO_SUCH_PROCESS: Final = 2**31 - 2


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What the file ``postmaster.pid`` in a data folder says about a server that lives."""

    data: Path
    pid: int
    port: int
    status: str

    @property
    def is_ready(self) -> bool:
        return self.status == "ready"

    def stop(self) -> None:
        """Ask for a fast shutdown and wait until the process is gone; insist if it takes too long, as the log replays."""
        for number, patience in ((signal.SIGINT, _FAST_STOP_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if not serves(self.pid, self.data):
                    return
                time.sleep(_POLL_SECONDS)
        raise ServerUnavailable(f"the PostgreSQL of {self.data} (process {self.pid}) does not end")


def find_postmaster(data: Path) -> Postmaster | None:
    """Return the living server of ``data``, or ``None``."""
    lines = _lock_lines(data)
    if len(lines) < 1 or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    if not serves(pid, data):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else 0
    return Postmaster(data, pid, port, lines[7].strip() if len(lines) > 7 else "starting")


def disarm_stale_lock(data: Path) -> None:
    """Make a left-over ``postmaster.pid`` harmless when its number now belongs to another process, or to a zombie.

    PostgreSQL takes any living process of that number for a rival and refuses to start. The file itself stays: with it the server
    checks that no orphan of the earlier one is still attached to the same shared memory. The caller holds the cluster's lock.
    """
    lines = _lock_lines(data)
    if lines and lines[0].strip().isdigit() and not serves(int(lines[0]), data):
        (data / "postmaster.pid").write_text("\n".join([str(_NO_SUCH_PROCESS), *lines[1:]]) + "\n")


def serves(pid: int, data: Path) -> bool:
    """Whether process ``pid`` is alive, no zombie, and a server of ``data``."""
    command = _command_line(pid)
    return any(argument == str(data) for argument in command) or f" -D {data} " in f" {' '.join(command)} "


def _command_line(pid: int) -> list[str]:
    if Path("/proc/self/cmdline").exists():
        try:
            # A zombie has an empty one.
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            return []
    asked = ["/bin/ps", "-o", "command=", "-p", str(pid)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
    return answer.stdout.split()


def _lock_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
