from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asvs import asvs
from tradingcore.auth.model.backup_code import CODE_BYTES, backup_code_hash, backup_code_text

randoms = st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES)


@asvs("6.5.2", "6.5.4")
def test_code_carries_120_bits() -> None:
    text = backup_code_text(bytes(CODE_BYTES))
    assert text == "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA"
    assert CODE_BYTES * 8 == 120


@given(randoms, randoms)
def test_codes_differ_exactly_when_their_bits_do(one: bytes, other: bytes) -> None:
    first, second = backup_code_hash(backup_code_text(one)), backup_code_hash(backup_code_text(other))
    assert first is not None
    assert (first == second) == (one == other)


@given(randoms)
def test_case_spaces_and_dashes_do_not_matter(random: bytes) -> None:
    text = backup_code_text(random)
    assert backup_code_hash(f" {text.lower().replace('-', ' ')} ") == backup_code_hash(text)
    assert backup_code_hash(text.replace("-", "")) == backup_code_hash(text)


@given(randoms)
def test_letters_that_look_alike_are_read_as_meant(random: bytes) -> None:
    text = backup_code_text(random)
    assert backup_code_hash(text.replace("O", "0").replace("I", "1").replace("B", "8")) == backup_code_hash(text)


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 25, "AAAA-AAAA-AAAA-AAAA-AAAA-AAA9", "É" * 24, "ſ" * 24, "A" * 24 + " " * 99])
def test_what_is_no_code_has_no_hash(text: str) -> None:
    assert backup_code_hash(text) is None
