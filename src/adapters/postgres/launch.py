"""Runs the programs of PostgreSQL, which refuse root: as root they get another identity."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

NOBODY: Final = 65534
# Nothing of the caller's environment reaches the server: PGDATA, PGPORT or a locale would change what it does.
CLEAN_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath}


@dataclass(frozen=True, slots=True)
class Launcher:
    """How this process starts PostgreSQL: a command put in front, or an identity to change to.

    ``owner`` is the user id, as seen from here, that the data must belong to.
    """

    prefix: tuple[str, ...]
    owner: int
    change_to: int | None = None

    def run(self, command: Sequence[str], *, timeout: float, inherited: Sequence[int] = ()) -> subprocess.CompletedProcess[str]:
        """Run to the end; it keeps ``inherited`` open, also when it outlives us."""
        return subprocess.run(  # noqa: S603 - the program comes from find_binaries
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            pass_fds=inherited,
            **self._options(),
        )

    def spawn(self, command: Sequence[str], *, log: IO[bytes], inherited: int) -> subprocess.Popen[bytes]:
        """Start in a session of its own, so that Ctrl-C in the terminal does not reach it; it keeps ``inherited`` open."""
        return subprocess.Popen(  # noqa: S603 - the program comes from find_binaries
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(inherited,),
            **self._options(),
        )

    def own(self, path: Path) -> None:
        """Hand ``path`` and everything under it to the identity that the programs run under."""
        if os.geteuid() != 0:
            return
        for folder, folders, files in os.walk(path):
            for name in (folder, *(os.path.join(folder, one) for one in (*folders, *files))):
                os.chown(name, self.owner, self.owner, follow_symlinks=False)
        if path.is_file():
            os.chown(path, self.owner, self.owner)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"env": CLEAN_ENVIRONMENT, "cwd": "/"}
        if self.change_to is not None:
            options |= {"user": self.change_to, "group": self.change_to, "extra_groups": []}
        return options


def find_launcher() -> Launcher:
    """Return the way that works for the user of this process."""
    me = os.geteuid()
    if me != 0:
        return Launcher(prefix=(), owner=me)
    unshare = shutil.which("unshare")
    if unshare is not None:
        # Inside, root is seen as user 1000; outside, the files stay root's. unshare replaces itself by the program, so the
        # program is our direct child.
        in_namespace = Launcher(prefix=(unshare, "--user", "--map-user=1000", "--map-group=1000", "--"), owner=0)
        try:
            if in_namespace.run(["true"], timeout=10).returncode == 0:
                return in_namespace
        except (OSError, subprocess.TimeoutExpired):
            pass
    return Launcher(prefix=(), owner=NOBODY, change_to=NOBODY)
