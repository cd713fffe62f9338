from __future__ import annotations

import pytest

from adapters.passwords.blocklist import ZxcvbnPasswordBlocklist
from tests.asvs import asvs
from tradingcore.testing.auth.passwords import PasswordBlocklistContract


@asvs("6.2.4")
class TestZxcvbnPasswordBlocklist(PasswordBlocklistContract):
    @pytest.fixture
    def blocklist(self) -> ZxcvbnPasswordBlocklist:
        return ZxcvbnPasswordBlocklist()

    @pytest.mark.parametrize(
        "password",
        [
            *("123456789987654321", "qazwsxedcrfv", "counterstrike", "Justin Bieber".replace(" ", "")),
            *("sunflower!23", "2024Liverpool!", "  dragon12345", "111trustno1"),
            *("passwordpassword", "monkeymonkeymonkey", "iloveyou iloveyou ".replace(" ", "")),
            *("aaaaaaaaaaaaaaaa", "abababababababab", "123123123123123", "🔑" * 12, "............"),
            *("abcdefghijklmno", "zyxwvutsrqponml", "12345678901234", "qwertyuiopasdf", "098765432109876"),
        ],
    )
    async def test_obvious_changes_of_a_common_password_are_seen_through(
        self, blocklist: ZxcvbnPasswordBlocklist, password: str
    ) -> None:
        assert await blocklist.contains(password)

    @pytest.mark.parametrize(
        "password",
        ["sunflower-kestrel-9", "my dragon ate 3 tins", "monkeymonkeymonkez", "password!#83&91$x27", "1a2b3c4d5e6f7g8h9i0jk"],
    )
    async def test_a_common_word_inside_something_longer_is_no_reason(
        self, blocklist: ZxcvbnPasswordBlocklist, password: str
    ) -> None:
        assert not await blocklist.contains(password)
