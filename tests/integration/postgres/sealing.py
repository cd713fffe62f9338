"""A sealer for tests. Its keys end with the process."""

from __future__ import annotations

from typing import Final

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmSealer

SEALER: Final = AesGcmSealer(fixed_ring(), index_key=bytes(32))
