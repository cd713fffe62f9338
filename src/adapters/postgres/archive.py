"""The file that a backup is: a tar with a manifest, the dump of the database and the files that belong to it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from adapters.postgres.files import open_private
from tradingcore.kernel.errors import InvalidInput

_FORMAT: Final = 1
_DUMP: Final = "database.dump"
_MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``digests`` holds the SHA-256 of every member by name."""

    server_major: int
    revision: str | None
    digests: Mapping[str, str]


def write_archive(file: Path, dump: Path, folders: Mapping[str, Path], *, server_major: int, revision: str | None) -> None:
    """Write a new ``file``, readable by its owner only. Members of ``folders`` are named ``<name>/<path inside>``."""
    sources = {_DUMP: dump}
    for name, folder in sorted(folders.items()):
        inside = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        sources |= {f"{name}/{path.relative_to(folder).as_posix()}": path for path in inside}
    digests = {name: _digest(path) for name, path in sources.items()}
    about = {"format": _FORMAT, "server_major": server_major, "revision": revision, "digests": digests}
    encoded = json.dumps(about, indent=1).encode()
    with open(file, "xb", opener=open_private) as raw:
        with tarfile.open(fileobj=raw, mode="w") as archive:
            member = tarfile.TarInfo(_MANIFEST)
            member.size = len(encoded)
            archive.addfile(member, io.BytesIO(encoded))
            for name, path in sources.items():
                archive.add(path, name, recursive=False, filter=_anonymous)
        raw.flush()
        os.fsync(raw.fileno())


def unpack_archive(file: Path, into: Path, folder_names: frozenset[str]) -> tuple[Manifest, Path]:
    """Unpack into an empty folder, checking every byte, and return the manifest and the dump. Raises `InvalidInput`."""
    with _readable(file), tarfile.open(file, "r:") as archive:
        manifest = _read_manifest(file, archive)
        missing = dict(manifest.digests)
        for member in archive:
            if member.name == _MANIFEST:
                continue
            expected = missing.pop(member.name, None)
            parts = PurePosixPath(member.name).parts
            is_known = member.name == _DUMP or (len(parts) > 1 and parts[0] in folder_names and ".." not in parts)
            source = archive.extractfile(member) if member.isreg() else None
            if expected is None or not is_known or source is None:
                raise InvalidInput(f"{file} holds a member that no backup has ({member.name!r}): it is not restored")
            if _copy(source, into / member.name) != expected:
                raise InvalidInput(f"{file} is damaged at {member.name}: take another backup")
        if missing:
            raise InvalidInput(f"{file} is cut off, {len(missing)} of its files are missing: take another backup")
    return manifest, into / _DUMP


def _read_manifest(file: Path, archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == _MANIFEST else None
    if content is None:
        raise InvalidInput(f"{file} is not a backup that tradingcore made")
    about: dict[str, Any] = json.load(content)
    if about["format"] != _FORMAT:
        raise InvalidInput(f"{file} has the backup format {about['format']}, this version reads {_FORMAT}: use a newer tradingcore")
    return Manifest(server_major=about["server_major"], revision=about["revision"], digests=about["digests"])


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{file} is damaged or not a backup that tradingcore made: {error}") from None


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: IO[bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
