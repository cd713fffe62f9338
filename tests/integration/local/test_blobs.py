import asyncio
import errno
import os
from pathlib import Path

import pytest

from adapters.local.blobs import LocalBlobStore
from tests.asvs import asvs
from tradingcore.kernel.errors import Unavailable
from tradingcore.ml.errors import BlobNotFound
from tradingcore.ml.ids import BundleDigest
from tradingcore.testing.ml import BlobStoreContract


class TestLocalBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LocalBlobStore:
        return LocalBlobStore(tmp_path / "models")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
async def test_refusal_of_the_disk_leaves_nothing_behind_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable, match=f"{os.strerror(number).lower()}; make room or grant write permission"):
        await LocalBlobStore(tmp_path).put(b"content")
    assert not files_in(tmp_path)


async def test_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot store a model of 7 bytes"):
        await LocalBlobStore(tmp_path / "models").put(b"content")


@asvs("5.3.2")
async def test_digest_never_becomes_a_path_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(BlobNotFound, match="64 hexadecimal digits"):
        await LocalBlobStore(tmp_path / "models").get(BundleDigest("../secret"))


async def test_damaged_file_is_healed_by_the_next_put(tmp_path: Path) -> None:
    blobs = LocalBlobStore(tmp_path)
    digest = await blobs.put(b"content")
    (tmp_path / digest[:2] / digest).write_bytes(b"damaged")
    assert await blobs.get(digest) == b"damaged"
    await blobs.put(b"content")
    assert await blobs.get(digest) == b"content"


async def test_writers_of_one_blob_leave_one_whole_file(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    await asyncio.gather(*(LocalBlobStore(tmp_path).put(content) for _ in range(16)))
    (file,) = files_in(tmp_path)
    assert file.read_bytes() == content
