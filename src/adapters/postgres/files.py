"""Files that hold secrets, and folders that survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def open_private(path: str, flags: int) -> int:
    """For the ``opener`` of ``open``: what it makes, only its owner can read."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    incoming = path.with_name(path.name + ".incoming")
    incoming.unlink(missing_ok=True)
    with open(incoming, "x", opener=open_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    incoming.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
