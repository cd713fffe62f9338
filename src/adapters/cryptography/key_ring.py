"""Key-encryption keys: the secrets that wrap every data key.

A key management service fits in here: whatever gives a `KeyRing` when called can feed the sealers. Let the service decrypt the ring
once at start and keep it in memory; then no row costs a call to the outside, and the service's own key never leaves it.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.system.private_file import PrivateFile, SecretsUnusable

KEY_BYTES: Final = 32
FEWEST_DIFFERENT_BYTES: Final = 16
"""Of 32 random bytes fewer than 16 different ones occur once in 10^16 keys."""
RETIRES_AFTER: Final = timedelta(days=30)
"""How long a replaced key stays at least: longer than anything that is sealed without an owner's key lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEncryptionKey:
    secret: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by version, in the order in which they came; the newest one wraps, all of them unwrap."""

    keys: Mapping[str, KeyEncryptionKey]

    def __post_init__(self) -> None:
        if not self.keys:
            raise SecretsUnusable("a key ring needs at least one key-encryption key")
        if any(len(key.secret) != KEY_BYTES for key in self.keys.values()):
            raise SecretsUnusable(f"a key-encryption key has {KEY_BYTES} bytes")
        if any(len(set(key.secret)) < FEWEST_DIFFERENT_BYTES for key in self.keys.values()):
            raise SecretsUnusable("a key-encryption key is not random: take one that this program has made")

    @property
    def current_version(self) -> str:
        return list(self.keys)[-1]

    @classmethod
    def fresh(cls) -> KeyRing:
        return cls(_new_key())

    def rotated(self) -> KeyRing:
        """With one more key, which wraps from now on."""
        return KeyRing({**self.keys, **_new_key()})

    def retired(self, *, in_use: frozenset[str], at: datetime) -> KeyRing:
        """Without the keys that no data key needs and that were replaced at least `RETIRES_AFTER` ago."""
        versions = list(self.keys)
        replaced = dict(zip(versions, (self.keys[version].created_at for version in versions[1:]), strict=False))
        gone = {version for version, since in replaced.items() if since + RETIRES_AFTER <= at} - in_use
        return KeyRing({version: key for version, key in self.keys.items() if version not in gone})

    def to_text(self) -> str:
        keys = [
            {"version": version, "secret": base64.b64encode(key.secret).decode(), "created_at": key.created_at.isoformat()}
            for version, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}, indent=1)

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Raises `SecretsUnusable` for anything that `to_text` did not write; the message quotes nothing of it."""
        try:
            return cls(
                {
                    str(key["version"]): KeyEncryptionKey(
                        secret=base64.b64decode(key["secret"], validate=True), created_at=datetime.fromisoformat(key["created_at"])
                    )
                    for key in json.loads(text)["keys"]
                }
            )
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise SecretsUnusable('a key ring is JSON: {"keys": [{"version", "secret" (base64), "created_at"}]}') from None


Rings = Callable[[], KeyRing]
"""Gives the ring as it is now."""


def fixed_ring(text: str | None = None) -> Rings:
    """A ring that a setting holds; a fresh one that ends with the process for ``None``."""
    ring = KeyRing.fresh() if text is None else KeyRing.from_text(text)
    return lambda: ring


class KeyRingFile:
    """The ring in a private file of this installation, made at first use; call it for the ring as it is now."""

    def __init__(self, path: Path) -> None:
        self._file = PrivateFile(path)
        self._parsed: tuple[str, KeyRing] | None = None

    def __call__(self) -> KeyRing:
        text = self._file.read(_fresh_text)
        if self._parsed is None or self._parsed[0] != text:
            self._parsed = (text, KeyRing.from_text(text))
        return self._parsed[1]

    def rotate(self) -> KeyRing:
        """Add a key that wraps from now on, in every process that shares the file."""
        return KeyRing.from_text(self._file.change(lambda text: KeyRing.from_text(text).rotated().to_text(), _fresh_text))

    def retire(self, *, in_use: frozenset[str], at: datetime) -> KeyRing:
        """Forget old keys that no data key needs; what was wrapped by them alone, in old backups say, is unreadable then."""
        return KeyRing.from_text(
            self._file.change(lambda text: KeyRing.from_text(text).retired(in_use=in_use, at=at).to_text(), _fresh_text)
        )


def _fresh_text() -> str:
    return KeyRing.fresh().to_text()


def _new_key() -> Mapping[str, KeyEncryptionKey]:
    now = datetime.now(UTC)
    return {f"{now:%Y%m%d}-{secrets.token_hex(4)}": KeyEncryptionKey(secret=secrets.token_bytes(KEY_BYTES), created_at=now)}
