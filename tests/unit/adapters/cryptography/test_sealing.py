from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.cryptography.key_ring import RETIRES_AFTER, KeyRing
from adapters.cryptography.sealing import AesGcmPurposeSealer, AesGcmSealer
from adapters.system.private_file import SecretsUnusable
from tests.asvs import asvs
from tradingcore.auth.errors import Unsealable
from tradingcore.testing.auth.sealing import CELL, EMAIL, PurposeSealerContract, SealerContract

INDEX_KEY = bytes(range(32))


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing.fresh()


@asvs("11.2.3", "11.2.5", "11.3.1", "11.3.2", "11.3.3", "11.3.4")
class TestAesGcmSealer(SealerContract):
    @pytest.fixture
    def sealer(self, ring: KeyRing) -> AesGcmSealer:
        return AesGcmSealer(lambda: ring, index_key=INDEX_KEY)

    @pytest.fixture
    def rotated(self, ring: KeyRing) -> AesGcmSealer:
        after = ring.rotated()
        return AesGcmSealer(lambda: after, index_key=INDEX_KEY)


class TestAesGcmPurposeSealer(PurposeSealerContract):
    @pytest.fixture
    def sealer(self, ring: KeyRing) -> AesGcmPurposeSealer:
        return AesGcmPurposeSealer(lambda: ring)

    @pytest.fixture
    def rotated(self, ring: KeyRing) -> AesGcmPurposeSealer:
        after = ring.rotated()
        return AesGcmPurposeSealer(lambda: after)


def test_a_key_is_useless_without_the_ring_that_wrapped_it(ring: KeyRing) -> None:
    sealer = AesGcmSealer(lambda: ring, index_key=INDEX_KEY)
    key = sealer.new_key()
    sealed = sealer.seal(key, EMAIL, about=CELL)
    foreign = KeyRing.fresh()
    with pytest.raises(Unsealable, match="not in the ring"):
        AesGcmSealer(lambda: foreign, index_key=INDEX_KEY).open(key, sealed, about=CELL)
    stranger = KeyRing({key.key_version: foreign.keys[foreign.current_version]})
    with pytest.raises(Unsealable, match="data key"):
        AesGcmSealer(lambda: stranger, index_key=INDEX_KEY).open(key, sealed, about=CELL)


def test_a_wrapped_key_does_not_show_its_secret_and_a_ring_does_not_show_its_keys(ring: KeyRing) -> None:
    (secret,) = (key.secret for key in ring.keys.values())
    assert repr(secret)[2:-1] not in repr(ring)
    assert secret.hex() not in repr(ring)


def test_indexes_of_two_installations_differ(ring: KeyRing) -> None:
    one = AesGcmSealer(lambda: ring, index_key=INDEX_KEY)
    other = AesGcmSealer(lambda: ring, index_key=INDEX_KEY[::-1])
    assert one.blind_index("ana", purpose="email") != other.blind_index("ana", purpose="email")


def test_a_short_index_key_is_refused(ring: KeyRing) -> None:
    with pytest.raises(SecretsUnusable, match="at least 32 bytes, had 31"):
        AesGcmSealer(lambda: ring, index_key=INDEX_KEY[1:])


def test_a_ring_survives_being_written_down(ring: KeyRing) -> None:
    longer = ring.rotated().rotated()
    assert KeyRing.from_text(longer.to_text()) == longer
    assert KeyRing.from_text(longer.to_text()).current_version == longer.current_version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [1]}',
        '{"keys": [{"version": "a", "secret": "short", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"keys": [{"version": "a", "secret": "AAAA", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"keys": [{"version": "a", "secret": "' + "A" * 43 + '=", "created_at": "2026-01-01T00:00:00+00:00"}]}',
        '{"keys": [{"version": "a", "secret": "' + "A" * 43 + '=", "created_at": "yesterday"}]}',
    ],
)
def test_a_ring_of_another_form_is_one_sentence_that_quotes_nothing(text: str) -> None:
    with pytest.raises(SecretsUnusable, match=r"^a key"):
        KeyRing.from_text(text)


def test_only_keys_that_nobody_needs_and_that_were_replaced_long_ago_retire(ring: KeyRing) -> None:
    longer = ring.rotated().rotated()
    oldest, middle, current = longer.keys
    now = datetime.now(UTC)
    assert longer.retired(in_use=frozenset(), at=now) == longer
    later = now + RETIRES_AFTER + timedelta(seconds=1)
    assert list(longer.retired(in_use=frozenset({oldest}), at=later).keys) == [oldest, current]
    assert list(longer.retired(in_use=frozenset(), at=later).keys) == [current]
    assert middle not in longer.retired(in_use=frozenset({current}), at=later).keys


def test_a_text_of_a_retired_key_does_not_open(ring: KeyRing) -> None:
    text = AesGcmPurposeSealer(lambda: ring).seal(EMAIL, purpose="mail", about="1")
    left = ring.rotated().retired(in_use=frozenset(), at=datetime.now(UTC) + 2 * RETIRES_AFTER)
    with pytest.raises(Unsealable, match="not in the ring"):
        AesGcmPurposeSealer(lambda: left).open(text, purpose="mail", about="1")
