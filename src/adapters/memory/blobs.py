from __future__ import annotations

import hashlib

from tradingcore.ml.errors import BlobNotFound
from tradingcore.ml.ids import BundleDigest
from tradingcore.ml.ports import BlobStore


class MemoryBlobStore(BlobStore):
    def __init__(self) -> None:
        self._blobs: dict[BundleDigest, bytes] = {}

    async def put(self, content: bytes) -> BundleDigest:
        digest = BundleDigest(hashlib.sha256(content).hexdigest())
        self._blobs[digest] = bytes(content)
        return digest

    async def get(self, digest: BundleDigest) -> bytes:
        content = self._blobs.get(digest)
        if content is None:
            raise BlobNotFound(f"there is no blob {digest}")
        return content
