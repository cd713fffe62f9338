from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.cryptography.key_ring import RETIRES_AFTER, KeyRingFile
from adapters.cryptography.sealing import AesGcmPurposeSealer, AesGcmSealer
from adapters.system.private_file import SecretsUnusable
from tradingcore.auth.errors import Unsealable
from tradingcore.testing.auth.sealing import CELL, EMAIL

INDEX_KEY = bytes(32)


def in_another_process(tmp_path: Path) -> KeyRingFile:
    return KeyRingFile(tmp_path / "secrets" / "sealing_keys")


@pytest.fixture
def ring(tmp_path: Path) -> KeyRingFile:
    return in_another_process(tmp_path)


def test_the_file_is_made_once_and_for_its_owner_only(ring: KeyRingFile, tmp_path: Path) -> None:
    assert ring() == in_another_process(tmp_path)() == ring()
    (file,) = (tmp_path / "secrets").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_processes_that_share_the_file_read_what_the_others_sealed(ring: KeyRingFile, tmp_path: Path) -> None:
    one, other = (AesGcmSealer(rings, index_key=INDEX_KEY) for rings in (ring, in_another_process(tmp_path)))
    key = one.new_key()
    assert other.open(key, one.seal(key, EMAIL, about=CELL), about=CELL) == EMAIL


def test_a_running_sealer_follows_a_rotation_by_another_process(ring: KeyRingFile, tmp_path: Path) -> None:
    sealer, texts = AesGcmSealer(ring, index_key=INDEX_KEY), AesGcmPurposeSealer(ring)
    before, key = sealer.current_version, sealer.new_key()
    sealed, text = sealer.seal(key, EMAIL, about=CELL), texts.seal(EMAIL, purpose="mail", about="1")
    rotated = in_another_process(tmp_path).rotate()
    assert sealer.current_version == rotated.current_version != before
    assert sealer.new_key().key_version == rotated.current_version
    assert sealer.open(key, sealed, about=CELL) == EMAIL
    assert texts.open(text, purpose="mail", about="1") == EMAIL
    in_another_process(tmp_path).retire(in_use=frozenset(), at=datetime.now(UTC) + 2 * RETIRES_AFTER)
    with pytest.raises(Unsealable, match="not in the ring"):
        texts.open(text, purpose="mail", about="1")


def test_a_damaged_file_is_one_sentence(ring: KeyRingFile, tmp_path: Path) -> None:
    ring()
    (tmp_path / "secrets" / "sealing_keys").write_text("{}")
    with pytest.raises(SecretsUnusable, match="a key ring is JSON"):
        ring()
