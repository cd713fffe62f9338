"""Backup codes: ten of 120 bits, shown once, each good once.

At 112 bits and above a plain hash is enough (ASVS 6.5.2), so that a code is found by its hash in one look-up.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tradingcore.kernel.authz import UserId

CODE_BYTES: Final = 15
CODES_IN_A_SET: Final = 10
FEW_LEFT: Final = 3
"""From here on the owner is told that a new set is due."""

_GROUP: Final = 4
_LETTERS: Final = re.compile(r"[A-Z2-7]{24}")
_LONGEST: Final = 64
# What people read wrongly: base32 has none of these three digits.
_READ: Final = str.maketrans("018", "OIB", " -\u00a0\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCode:
    """One code as it is stored. ``number`` is its place in the set: a user has one code of each number, so never two sets."""

    code_hash: bytes
    user_id: UserId
    number: int
    created_at: datetime
    used_at: datetime | None = None


def backup_code_text(random: bytes) -> str:
    """``CODE_BYTES`` random bytes as the owner writes them down: base32 in groups of four."""
    letters = base64.b32encode(random).decode()
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def backup_code_hash(text: str) -> bytes | None:
    """What a code is stored and found by, or ``None`` for text that is no code. Case, spaces and dashes do not matter."""
    letters = text.translate(_READ)
    if len(text) > _LONGEST or not letters.isascii() or not _LETTERS.fullmatch(letters.upper()):
        return None
    return hashlib.sha256(b"backup-code:" + letters.upper().encode()).digest()
