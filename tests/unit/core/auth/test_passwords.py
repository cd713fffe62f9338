from __future__ import annotations

import pytest

from tests.asvs import asvs
from tradingcore.auth.errors import PasswordRefused
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.password import PRODUCT_WORDS, PasswordPolicy, common_password, context_words
from tradingcore.kernel.errors import InvalidInput

POLICY = PasswordPolicy()


def reason(password: str, *, policy: PasswordPolicy = POLICY, is_staff: bool = False, words: frozenset[str] = PRODUCT_WORDS) -> str:
    with pytest.raises(PasswordRefused) as refused:
        policy.check(password, is_staff=is_staff, words=words)
    assert password == "" or password not in str(refused.value)
    (error,) = refused.value.errors
    assert error.pointer == "/password"
    return error.code


@asvs("6.2.1")
def test_a_password_has_at_least_twelve_characters() -> None:
    assert reason("x" * 11) == "length"
    POLICY.check("z7!kQ" + "x" * 7)


@asvs("6.2.9")
def test_a_password_of_256_characters_is_taken_and_one_more_is_not() -> None:
    POLICY.check("é" * 256)
    assert reason("é" * 257) == "length"


def test_characters_are_counted_as_people_see_them() -> None:
    assert reason("e\u0301" * 11) == "length"
    POLICY.check("e\u0301" * 256)
    POLICY.check("🔑" * 12)


def test_staff_needs_fifteen() -> None:
    assert reason("x" * 14, is_staff=True) == "length"
    POLICY.check("x" * 15, is_staff=True)
    assert reason("x" * 19, policy=PasswordPolicy(shortest=20), is_staff=True) == "length"


@asvs("6.2.5")
@pytest.mark.parametrize(
    "password", ["all small letters", "123 456 987 001", "ÄÖÜ ß ñ € 中文字元測試", "    leading spaces", "\tand a tab inside"]
)
def test_no_kind_of_character_is_asked_for_or_refused(password: str) -> None:
    POLICY.check(password)


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert reason("a long password " + "\ud83d") == "text"


@asvs("6.2.11")
@pytest.mark.parametrize(
    "password",
    ["Ana.Maria.1984", "anamaria-2024!!", "TradingCore#2026", "maria maria maria", "Lovelace-lovelace", "tradingcore ana.maria"],
)
def test_who_you_are_and_where_you_are_count_for_nothing(password: str) -> None:
    words = context_words(email=EmailAddress.parse("ana.maria@example.org"), display_name="AnaMaria Lovelace")
    assert reason(password, words=words) == "context"


@pytest.mark.parametrize("password", ["ana@example.org", "ANA@example.org!1", "x ana@example.org y"])
def test_the_own_address_is_no_password(password: str) -> None:
    assert reason(password, words=context_words(email=EmailAddress.parse("ana@example.org"))) == "context"


def test_who_you_are_may_stand_beside_enough_others() -> None:
    words = context_words(email=EmailAddress.parse("ana.maria@example.org"), display_name="Ana Lovelace")
    POLICY.check("maria keeps seven bridges", words=words)
    # Short parts, such as Ana, occur in other words.
    POLICY.check("banana banana", words=words)


def test_parts_of_name_and_address_are_context() -> None:
    words = context_words(email=EmailAddress.parse("J.Smith-1984+news@example.org"), display_name="Dr. José  Smith")
    assert {"smith", "news", "josé", "j.smith-1984+news", "tradingcore"} <= words
    assert not {"j", "dr", "1984", "", "example"} & words
    assert context_words() == PRODUCT_WORDS


def test_a_common_password_says_so_and_nothing_else() -> None:
    (error,) = common_password().errors
    assert (error.pointer, error.code) == ("/password", "common")


@pytest.mark.parametrize(("shortest", "forced", "fits"), [(12, False, True), (11, False, False), (8, True, True), (7, True, False)])
def test_fewer_than_twelve_need_a_second_factor_for_everybody(shortest: int, forced: bool, fits: bool) -> None:
    if fits:
        PasswordPolicy(shortest=shortest, is_second_factor_forced=forced).check("x" * shortest)
        return
    with pytest.raises(InvalidInput, match=f"was {shortest}"):
        PasswordPolicy(shortest=shortest, is_second_factor_forced=forced)
