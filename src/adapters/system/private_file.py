"""A small file of secrets that processes of one installation share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tradingcore.kernel.errors import TradingCoreError

_OTHERS: Final = 0o077


class SecretsUnusable(TradingCoreError):
    """Keys of this installation are damaged, exposed or out of reach: for its operator to mend, nothing for its users to know."""

    code = "secrets.unusable"
    title = "Secrets unusable"


class PrivateFile:
    """Text that only its owner may read (mode 0600), made once by whoever comes first, replaced whole.

    `read` follows changes that other processes make: it reads again when the file is another one. Raises `SecretsUnusable` when the
    file system refuses and when others could read the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[tuple[int, int, int], str] | None = None

    def read(self, make: Callable[[], str]) -> str:
        """Return the content; a missing file is made of ``make()`` first. Processes that start at once agree on one content."""
        with self._told():
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._make(make())
                status = self._path.stat()
            mark = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._seen is None or self._seen[0] != mark:
                if os.name == "posix" and status.st_mode & _OTHERS:
                    raise SecretsUnusable(
                        f"{self._path} holds secrets and others may read it, mode {status.st_mode & 0o777:o}: chmod 600 it"
                    )
                self._seen = (mark, self._path.read_text(encoding="utf-8"))
            return self._seen[1]

    def change(self, change: Callable[[str], str], make: Callable[[], str]) -> str:
        """Replace the content by ``change(content)`` and return it. One process at a time; a reader sees the old or the new."""
        with self._told(), self._alone():
            changed = change(self.read(make))
            proposal = self._written(changed)
            proposal.replace(self._path)
            _sync(self._path.parent)
            return changed

    def _make(self, content: str) -> None:
        self._make_folder()
        proposal = self._written(content)
        # A link, not a rename: of processes that start at once the first decides for all.
        with suppress(FileExistsError):
            os.link(proposal, self._path)
        proposal.unlink()
        _sync(self._path.parent)

    def _make_folder(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _written(self, content: str) -> Path:
        proposal = self._path.with_name(f"{self._path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with open(proposal, "x", encoding="utf-8", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return proposal

    @contextmanager
    def _alone(self) -> Iterator[None]:
        import fcntl

        self._make_folder()
        with open(self._path.with_name(f"{self._path.name}.lock"), "w", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SecretsUnusable(
                f"cannot use the secrets in {self._path}: {(error.strerror or type(error).__name__).lower()}"
            ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)


def _sync(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on the disk. Windows cannot open folders and needs no such thing.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
