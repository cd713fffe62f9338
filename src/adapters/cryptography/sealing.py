from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.cryptography.key_ring import KeyRing, Rings
from adapters.system.identifiers import Uuid7Generator
from adapters.system.private_file import SecretsUnusable
from tradingcore.auth.errors import Unsealable
from tradingcore.auth.ports.sealing import PurposeSealer, Sealer, WrappedKey

_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_BYTES: Final = 32
_INDEX_KEY_BYTES: Final = 32
_CACHED_KEYS: Final = 4096


class AesGcmSealer(Sealer):
    """AES-256-GCM. A sealed value is a format byte, a random nonce of 96 bits, the ciphertext and its tag of 128 bits.

    The format and the id of the data key are authenticated together with ``about``; a wrapped key is bound to its id and version.
    ``index_key`` is a secret of its own: blind indexes outlive every rotation of the ring.
    """

    def __init__(self, rings: Rings, *, index_key: bytes) -> None:
        if len(index_key) < _INDEX_KEY_BYTES:
            raise SecretsUnusable(f"the key of blind indexes has at least {_INDEX_KEY_BYTES} bytes, had {len(index_key)}")
        self._rings = rings
        self._index_key = index_key
        self._ids = Uuid7Generator()
        self._unwrapped = lru_cache(_CACHED_KEYS)(self._unwrap)

    @property
    def current_version(self) -> str:
        return self._rings().current_version

    def new_key(self) -> WrappedKey:
        return self._wrap(self._ids.new_id(), os.urandom(_KEY_BYTES))

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        return self._wrap(key.id, self._secret_of(key))

    def seal(self, key: WrappedKey, plaintext: bytes, *, about: str) -> bytes:
        return _encrypt(self._unwrapped(key), plaintext, _cell(key.id, about))

    def open(self, key: WrappedKey, sealed: bytes, *, about: str) -> bytes:
        return _decrypt(self._unwrapped(key), sealed, _cell(key.id, about), what=about)

    def blind_index(self, value: str, *, purpose: str) -> bytes:
        # The first HMAC makes a key for the purpose, so that no purpose and value run into each other.
        key = hmac.digest(self._index_key, purpose.encode(), hashlib.sha256)
        return hmac.digest(key, value.encode(), hashlib.sha256)

    def _wrap(self, key_id: UUID, secret: bytes) -> WrappedKey:
        ring = self._rings()
        version = ring.current_version
        wrapped = _encrypt(_derived(ring, version, "wrap"), secret, _cell(key_id, version))
        return WrappedKey(id=key_id, wrapped=wrapped, key_version=version)

    def _secret_of(self, key: WrappedKey) -> bytes:
        wrapping = _derived(self._rings(), key.key_version, "wrap")
        return _decrypt(wrapping, key.wrapped, _cell(key.id, key.key_version), what=f"data key {key.id}")

    def _unwrap(self, key: WrappedKey) -> AESGCM:
        return AESGCM(self._secret_of(key))


class AesGcmPurposeSealer(PurposeSealer):
    """AES-256-GCM under a key that is derived (HKDF, RFC 5869) from the ring for each purpose; purposes are a handful of constants.

    A text is ``<version>.<base64url of the sealed value>``.
    """

    def __init__(self, rings: Rings) -> None:
        self._rings = rings

    def seal(self, plaintext: bytes, *, purpose: str, about: str) -> str:
        ring = self._rings()
        version = ring.current_version
        sealed = _encrypt(_derived(ring, version, f"purpose {purpose}"), plaintext, _FORMAT + about.encode())
        return f"{version}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, text: str, *, purpose: str, about: str) -> bytes:
        version, _, letters = text.partition(".")
        try:
            sealed = base64.b64decode(letters.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise Unsealable(f"a sealed text for {purpose} was altered") from None
        key = _derived(self._rings(), version, f"purpose {purpose}")
        return _decrypt(key, sealed, _FORMAT + about.encode(), what=f"a text for {purpose}")


def _cell(key_id: UUID, about: str) -> bytes:
    return _FORMAT + key_id.bytes + about.encode()


def _encrypt(key: AESGCM, plaintext: bytes, about: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + key.encrypt(nonce, plaintext, about)


def _decrypt(key: AESGCM, sealed: bytes, about: bytes, *, what: str) -> bytes:
    if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise Unsealable(f"{what} is not a sealed value of a known format")
    try:
        return key.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], about)
    except InvalidTag:
        raise Unsealable(f"{what} does not open: it was altered, moved, or sealed under another key") from None


def _derived(ring: KeyRing, version: str, use: str) -> AESGCM:
    key = ring.keys.get(version)
    if key is None:
        raise Unsealable(f"the key-encryption key {version[:40]!r} is not in the ring: was it retired, or is another ring in use?")
    return _derive(key.secret, use)


@lru_cache(256)
def _derive(secret: bytes, use: str) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"tradingcore " + use.encode()).derive(secret))
