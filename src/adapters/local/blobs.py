from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from tradingcore.kernel.errors import Unavailable
from tradingcore.ml.errors import BlobNotFound
from tradingcore.ml.ids import BundleDigest
from tradingcore.ml.ports import BlobStore

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class LocalBlobStore(BlobStore):
    """Blobs as files below ``folder``, in 256 sub-folders by the first two digits of the digest.

    A blob is written aside, flushed to the disk and renamed, so a reader never sees a part of it. A file of the right name with
    other content (a damaged disk) is replaced by the next `put`. Errors of the file system raise `Unavailable`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, content: bytes) -> BundleDigest:
        return await asyncio.to_thread(self._put, content)

    async def get(self, digest: BundleDigest) -> bytes:
        return await asyncio.to_thread(self._get, digest)

    def _put(self, content: bytes) -> BundleDigest:
        digest = BundleDigest(hashlib.sha256(content).hexdigest())
        path = self._path(digest)
        try:
            if not (path.is_file() and path.read_bytes() == content):
                _write(path, content)
        except OSError as error:
            raise Unavailable(
                f"cannot store a model of {len(content):,} bytes in {self._folder}: {_reason(error)}; "
                "make room or grant write permission and try again"
            ) from error
        return digest

    def _get(self, digest: BundleDigest) -> bytes:
        # A digest may come from a row or a request: only what looks like one becomes a path.
        if not _DIGEST.fullmatch(digest):
            raise BlobNotFound(f"a blob is named by 64 hexadecimal digits, was {digest[:80]!r}")
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobNotFound(f"no model file {digest[:12]} in {self._folder}, restore it or train the model again") from None
        except OSError as error:
            raise Unavailable(f"cannot read model file {digest[:12]} in {self._folder}: {_reason(error)}") from error

    def _path(self, digest: BundleDigest) -> Path:
        return self._folder / digest[:2] / digest


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)
    _flush_folder(path.parent.parent)


def _flush_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on the disk. Windows cannot open folders and needs no such thing.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
