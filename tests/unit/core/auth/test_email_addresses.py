from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.kernel.errors import InvalidInput
from tradingcore.notifications.model.mail import is_mail_address


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ana@example.org", "ana@example.org"),
        ("  Ana@EXAMPLE.org ", "Ana@example.org"),
        ("n\u0303andu@example.org", "\u00f1andu@example.org"),
        ("ana@b\u00fccher.example", "ana@xn--bcher-kva.example"),
        ("a+b.c@sub.example.org", "a+b.c@sub.example.org"),
    ],
)
def test_an_address_has_one_spelling(text: str, kept: str) -> None:
    assert EmailAddress.parse(text).text == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "ana", "ana@", "@example.org", "ana@localhost", "a b@example.org", ".ana@example.org", "ana.@example.org"),
        *("a..b@example.org", "ana@-x.org", "ana@example..org", "ana@example.org\nbcc: x@y.org", "a\u200bna@example.org"),
        *("ana\x00@example.org", "a<b>@example.org", f"{'a' * 65}@example.org", f"a@{'b' * 64}.org", "ana@" + "b." * 130 + "org"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        EmailAddress.parse(text)


def test_letters_of_either_case_reach_the_same_mailbox() -> None:
    assert EmailAddress.parse("ANA@example.org").comparable == EmailAddress.parse("ana@Example.Org").comparable


@given(st.text(max_size=80))
def test_whatever_comes_is_parsed_or_refused_and_mail_takes_what_is_parsed(text: str) -> None:
    try:
        address = EmailAddress.parse(f"{text}@example.org")
    except InvalidInput:
        return
    assert EmailAddress.parse(address.text) == address
    assert is_mail_address(address.text)
