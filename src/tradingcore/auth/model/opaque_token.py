"""Random tokens that mean nothing by themselves: 256 bits for whoever holds them, a hash for whoever looks them up."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

TOKEN_BYTES: Final = 32

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-_]{43}")


def opaque_token(random: bytes) -> str:
    """``TOKEN_BYTES`` random bytes as text for a cookie or a body."""
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def opaque_token_hash(token: str) -> bytes:
    """What a token is stored and found by; 256 random bits need no more than a plain hash."""
    return hashlib.sha256(token.encode()).digest()


def is_opaque_token(text: str) -> bool:
    """Whether ``text`` can be a token at all, so that anything else is refused before a look-up."""
    return _TOKEN.fullmatch(text) is not None


def opaque_token_bytes(text: str) -> bytes | None:
    """The random bytes of a token, or ``None`` for text that is none: each token has one spelling."""
    if not is_opaque_token(text):
        return None
    random = base64.urlsafe_b64decode(text + "=")
    return random if opaque_token(random) == text else None
