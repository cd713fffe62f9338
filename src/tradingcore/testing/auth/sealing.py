"""Contracts of sealing."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradingcore.auth.errors import Unsealable
from tradingcore.auth.ports.sealing import PurposeSealer, Sealer

EMAIL = b"ana@example.com"
CELL = "auth.user_accounts.email:1"
ANY_VALUES = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class SealerContract:
    """Fixtures: ``sealer``, and ``rotated``: a sealer of the same installation after its key-encryption key was replaced."""

    @pytest.fixture
    def sealer(self) -> Sealer:
        raise NotImplementedError("supply the sealer under test")

    @pytest.fixture
    def rotated(self, sealer: Sealer) -> Sealer:
        raise NotImplementedError("supply the sealer after a rotation")

    @ANY_VALUES
    @given(plaintext=st.binary(max_size=2_000), about=st.text(st.characters(codec="utf-8"), max_size=80))
    def test_what_is_sealed_opens_again(self, sealer: Sealer, plaintext: bytes, about: str) -> None:
        key = sealer.new_key()
        assert sealer.open(key, sealer.seal(key, plaintext, about=about), about=about) == plaintext

    def test_the_plaintext_does_not_show(self, sealer: Sealer) -> None:
        key = sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        assert EMAIL not in sealed
        assert sealed != sealer.seal(key, EMAIL, about=CELL)

    def test_a_value_opens_in_its_own_cell_only(self, sealer: Sealer) -> None:
        key = sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        with pytest.raises(Unsealable):
            sealer.open(key, sealed, about=CELL + "2")

    def test_a_value_opens_with_its_own_key_only(self, sealer: Sealer) -> None:
        sealed = sealer.seal(sealer.new_key(), EMAIL, about=CELL)
        with pytest.raises(Unsealable):
            sealer.open(sealer.new_key(), sealed, about=CELL)

    def test_an_altered_value_does_not_open(self, sealer: Sealer) -> None:
        key = sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        for place in range(len(sealed)):
            altered = bytearray(sealed)
            altered[place] ^= 1
            with pytest.raises(Unsealable):
                sealer.open(key, bytes(altered), about=CELL)

    def test_a_cut_value_does_not_open(self, sealer: Sealer) -> None:
        key = sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        for length in range(len(sealed)):
            with pytest.raises(Unsealable):
                sealer.open(key, sealed[:length], about=CELL)

    def test_a_wrapped_key_that_was_altered_or_moved_is_refused(self, sealer: Sealer) -> None:
        key, other = sealer.new_key(), sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        wrong_keys = [
            replace(key, wrapped=bytes([*key.wrapped[:-1], key.wrapped[-1] ^ 1])),
            replace(key, wrapped=other.wrapped),
            replace(key, id=UUID(int=0)),
            replace(key, key_version="unheard of"),
            replace(key, wrapped=b""),
        ]
        for wrong in wrong_keys:
            with pytest.raises(Unsealable):
                sealer.open(wrong, sealed, about=CELL)
            with pytest.raises(Unsealable):
                sealer.seal(wrong, EMAIL, about=CELL)
            with pytest.raises(Unsealable):
                sealer.rewrap(wrong)

    def test_keys_are_fresh_and_of_the_current_version(self, sealer: Sealer) -> None:
        keys = [sealer.new_key() for _ in range(100)]
        assert len({key.id for key in keys}) == len({key.wrapped for key in keys}) == 100
        assert {key.key_version for key in keys} == {sealer.current_version}

    def test_rotation_keeps_everything_readable(self, sealer: Sealer, rotated: Sealer) -> None:
        key = sealer.new_key()
        sealed = sealer.seal(key, EMAIL, about=CELL)
        assert rotated.current_version != key.key_version
        assert rotated.open(key, sealed, about=CELL) == EMAIL
        rewrapped = rotated.rewrap(key)
        assert (rewrapped.id, rewrapped.key_version) == (key.id, rotated.current_version)
        assert rewrapped.wrapped != key.wrapped
        assert rotated.open(rewrapped, sealed, about=CELL) == EMAIL
        assert rotated.open(key, rotated.seal(rewrapped, EMAIL, about=CELL), about=CELL) == EMAIL

    @ANY_VALUES
    @given(one=st.text(st.characters(codec="utf-8")), other=st.text(st.characters(codec="utf-8")))
    def test_an_index_is_equal_for_equal_values_only(self, sealer: Sealer, one: str, other: str) -> None:
        index = sealer.blind_index(one, purpose="email")
        assert len(index) == 32
        assert (index == sealer.blind_index(other, purpose="email")) is (one == other)

    def test_an_index_belongs_to_its_purpose(self, sealer: Sealer) -> None:
        split = [("email", "a"), ("emai", "la"), ("emaila", ""), ("email a", ""), ("phone", "a")]
        assert len({sealer.blind_index(value, purpose=purpose) for purpose, value in split}) == len(split)

    def test_an_index_outlives_rotation(self, sealer: Sealer, rotated: Sealer) -> None:
        assert sealer.blind_index("ana", purpose="email") == rotated.blind_index("ana", purpose="email")


class PurposeSealerContract:
    """Fixtures: ``sealer``, and ``rotated``: a sealer of the same installation after its key was replaced."""

    @pytest.fixture
    def sealer(self) -> PurposeSealer:
        raise NotImplementedError("supply the sealer under test")

    @pytest.fixture
    def rotated(self, sealer: PurposeSealer) -> PurposeSealer:
        raise NotImplementedError("supply the sealer after a rotation")

    @ANY_VALUES
    @given(plaintext=st.binary(max_size=2_000), about=st.text(st.characters(codec="utf-8"), max_size=80))
    def test_what_is_sealed_opens_again(self, sealer: PurposeSealer, plaintext: bytes, about: str) -> None:
        text = sealer.seal(plaintext, purpose="mail", about=about)
        assert text.isascii()
        assert text.isprintable()
        assert sealer.open(text, purpose="mail", about=about) == plaintext

    def test_each_text_is_another(self, sealer: PurposeSealer) -> None:
        assert len({sealer.seal(EMAIL, purpose="mail", about="1") for _ in range(100)}) == 100

    @pytest.mark.parametrize(("purpose", "about"), [("mail", "2"), ("oauth", "1"), ("mail1", ""), ("mai", "l1"), ("", "mail1")])
    def test_a_text_opens_for_its_own_purpose_and_subject_only(self, sealer: PurposeSealer, purpose: str, about: str) -> None:
        text = sealer.seal(EMAIL, purpose="mail", about="1")
        with pytest.raises(Unsealable):
            sealer.open(text, purpose=purpose, about=about)

    def test_an_altered_or_foreign_text_does_not_open(self, sealer: PurposeSealer) -> None:
        text = sealer.seal(EMAIL, purpose="mail", about="1")
        # The last letter may hold bits that base64 does not use, or be padding.
        altered = [text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :] for place in range(len(text) - 3)]
        for wrong in [*altered, *(text[:length] for length in range(len(text) - 3)), "", ".", "é", text + "é", f"{text}{text}"]:
            with pytest.raises(Unsealable):
                sealer.open(wrong, purpose="mail", about="1")

    def test_rotation_keeps_texts_readable(self, sealer: PurposeSealer, rotated: PurposeSealer) -> None:
        text = sealer.seal(EMAIL, purpose="mail", about="1")
        assert rotated.open(text, purpose="mail", about="1") == EMAIL
